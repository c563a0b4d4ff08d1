"""``chergui plan``: plan a site's day once and print it; nothing is published."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.settings import default_data_dir, moment_option
from ingest.site_file import find_site, read_site
from models.errors import CherguiError, InvalidInput, NoPlanInTime
from models.horizon import use_packaged_time_zones

if TYPE_CHECKING:
    from api.planner import Outcome, Task
    from models.site import Site

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    site: Annotated[str, typer.Option(help="Site file, or the name of a sample: dakhla, local.")] = "dakhla",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of a service's data; its jobs and last plan are taken up.")
    ] = None,
    now: Annotated[str | None, typer.Option(help="Plan from this instant (RFC 3339) instead of the present.")] = None,
    time_limit: Annotated[float | None, typer.Option(min=0.1, help="Seconds; none: the site file's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole edition as JSON.")] = False,
) -> None:
    """Plan a site's day once and print it as a table: exit 0 with a plan, 2 bad input, 3 infeasible, 4 none in time."""
    use_packaged_time_zones()
    try:
        moment = moment_option(now) or datetime.now(UTC)
        path = find_site(site).resolve()
        found = read_site(path)
        outcome = _planned(found, path, data_dir, moment, time_limit)
    except InvalidInput as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(2) from None
    except (ValueError, NoPlanInTime) as error:
        typer.echo(f"chergui: {error}", err=True)
        raise typer.Exit(4 if isinstance(error, NoPlanInTime) else 2) from None
    except CherguiError as error:
        typer.echo(f"chergui: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(outcome.edition, allow_nan=False))
    else:
        from api.commands.plan_tables import show

        show(outcome.edition, found)
    if outcome.edition["plan"]["status"] == "infeasible":
        raise typer.Exit(3)


def _planned(site: Site, path: Path, data_dir: Path | None, now: datetime, limit_s: float | None) -> Outcome:
    from api.following import as_it_stands
    from api.gathering import gather, horizon_at, made_up_jobs, wants_made_up_jobs
    from api.planner import Task
    from api.store.jobs import KnownJob

    horizon = horizon_at(site, now)
    plans, known = _stored(data_dir or default_data_dir(), site)
    if wants_made_up_jobs(site):
        there = {job.job.id for job in known}
        fresh = [pair for pair in made_up_jobs(site, horizon) if pair[0].id not in there]
        known += [KnownJob(job, progress, "open", None, "", "") for job, progress in fresh]
    gathered = gather(site, plans, [job for job in known if job.status == "open"], horizon.start)
    task = Task(site, [as_it_stands(job) for job in gathered.jobs], gathered.memory, path.parent, limit_s)
    return _with_progress(task, now)


def _stored(folder: Path, site: Site) -> tuple[Any, list[Any]]:
    """Plans and jobs of a service that has run in a folder; nothing where none has."""
    from api.clock import ShiftedClock
    from api.plan_store import PlanStore
    from api.store.engine import open_engine, revision
    from api.store.jobs import JobStore
    from api.store.peek import HEAD

    if not (folder / "state.db").is_file():
        return None, []
    engine = open_engine(folder / "state.db")
    if revision(engine) != HEAD:
        return None, []
    clock = ShiftedClock()
    plans = PlanStore(engine, site.name, clock)
    pools = {pool.name for pool in site.pools}
    known = [job for job in JobStore(engine, clock).page("", 100_000) if job.job.pool in pools]
    return plans, known


def _with_progress(task: Task, now: datetime) -> Outcome:
    from rich.console import Console

    from api.planner import cycle
    from optimizer.rolling import Progress

    console = Console(stderr=True)
    begin = "gathering weather, jobs and prices ..."
    with console.status(begin) as status:

        def tell(progress: Progress) -> None:
            words = [f"{progress.elapsed_s:5.1f} s", progress.rung or "no plan yet"]
            if progress.objective is not None:
                words.append(f"cost {progress.objective:,.0f} {task.site.currency}")
            words.append("gap not known yet" if progress.gap is None else f"gap {progress.gap:.1%}")
            status.update("  ".join(words))
            if not console.is_terminal:
                console.print("  ".join(words), highlight=False)

        with _prints_to_stderr():
            return cycle(task, now, tell)


@contextmanager
def _prints_to_stderr() -> Iterator[None]:
    """A solver's own words, which it writes past Python, must not end up in our output."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
