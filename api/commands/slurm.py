"""``chergui slurm``: what each job of Slurm is to the plan, and the way out of everything that Slurm was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api import logs
from api.job_reading import judged_jobs
from api.job_sources import policy_of, slurm_commands, slurm_source
from api.settings import Settings, default_data_dir
from api.slurm.budget import Licences, budget_orders
from api.slurm.decide import decide, release
from api.slurm.hand import Hand
from api.slurm.order import Order
from api.slurm.pauses import due_resumes
from api.slurm.view import PlanView, plan_view
from ingest.errors import SourceUnavailable
from ingest.site_file import find_site, read_site
from ingest.sources.slurm.note import shown
from ingest.sources.slurm.shape import SlurmJob
from models.errors import CherguiError, InvalidInput
from models.horizon import use_packaged_time_zones
from models.job_policy import Judged
from models.job_sources import Slurm
from models.site import Site

app = typer.Typer(add_completion=False, no_args_is_help=True)
slurm_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="See what each Slurm job is to the plan, or let Slurm go."
)
app.add_typer(slurm_app, name="slurm")
SITE = Annotated[str, typer.Argument(help="Site file with a section [jobs.slurm].")]


@slurm_app.command("show")
def show(
    site: SITE,
    orders: Annotated[
        bool, typer.Option("--orders", help="Also what Slurm would be told now if every pool followed the plan.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the service's data, for --orders; default: the user's data folder.")
    ] = None,
) -> None:
    """Print every job of Slurm with the row that names it, or why it is left alone. Changes nothing."""
    path, found, slurm = _site(site)
    now = datetime.now(UTC)
    try:
        seen = slurm_source(slurm, path.parent).read(now)
        judged = judged_jobs(seen.facts, policy_of(found, path.parent).now(), found, now)
        for line in _table(judged, seen.jobs):
            typer.echo(line)
        for odd in seen.odd:
            typer.echo(f"not read: {odd}", err=True)
        if orders:
            hand = Hand(slurm_commands(slurm, path.parent))
            pools = {pool.name for pool in found.pools}
            view = _plan(path, (data_dir or default_data_dir()).resolve())
            for order in decide(seen, judged, view, pools, slurm, _licences(hand, slurm), now):
                typer.echo(_said(order))
    except CherguiError as error:
        raise _fail(error) from None


@slurm_app.command("release")
def let_go(
    site: SITE,
    due: Annotated[
        bool, typer.Option("--due", help="Only resume jobs that stood still long enough; for the dead-man's timer.")
    ] = False,
) -> None:
    """Take back what Slurm was told: delayed jobs may start, suspended ones go on, reservations end.

    A service that still runs will tell it again; write act = false into the site file, or set the pools to shadow.
    """
    logs.configure("slurm")
    path, _, slurm = _site(site)
    now = datetime.now(UTC)
    hand = Hand(slurm_commands(slurm, path.parent))
    try:
        jobs = slurm_source(slurm, path.parent).read(now).jobs
        wanted: list[Order] = [*due_resumes(jobs, now)] if due else [*release(jobs, now)]
        licences = None if due else _licences(hand, slurm)
        if licences is not None:
            wanted += budget_orders([], licences.held, now)
        done = hand.carry_out(wanted, now)
    except CherguiError as error:
        raise _fail(error) from None
    for one in done:
        typer.echo(f"{_said(one.order)}{'' if one.fault is None else f': NOT DONE: {one.fault}'}")
    raise typer.Exit(1 if any(one.fault is not None for one in done) else 0)


def _site(text: str) -> tuple[Path, Site, Slurm]:
    use_packaged_time_zones()
    path = find_site(text).resolve()
    try:
        site = read_site(path)
    except InvalidInput as error:
        raise _fail(error) from None
    if site.jobs.slurm is None:
        typer.echo(f"{text} has no section [jobs.slurm]", err=True)
        raise typer.Exit(2)
    return path, site, site.jobs.slurm


def _fail(error: CherguiError) -> typer.Exit:
    faults = error.faults if isinstance(error, InvalidInput) else [error]
    for fault in faults:
        typer.echo(str(fault), err=True)
    return typer.Exit(2 if isinstance(error, InvalidInput) else 1)


def _licences(hand: Hand, slurm: Slurm) -> Licences | None:
    if slurm.budget is None:
        return None
    found = hand.licences(slurm.budget.licence)
    if found is None:
        raise SourceUnavailable("slurm", f"the cluster has no licence {slurm.budget.licence!r}; add it to slurm.conf")
    return found


def _plan(path: Path, data_dir: Path) -> PlanView | None:
    from api.wiring import doors_for

    if not (data_dir / "state.db").is_file():
        return None
    edition = doors_for(Settings(path, data_dir)).plans.current()
    return None if edition is None else plan_view(edition)


def _table(judged: Sequence[Judged], jobs: Iterable[SlurmJob]) -> Iterable[str]:
    named = sum(one.row is not None for one in judged)
    yield f"{len(judged)} job(s): {named} named by the policy, {len(judged) - named} left alone"
    for one, job in zip(judged, jobs, strict=True):
        pool = "-" if one.job is None else one.job.pool
        latest = "" if one.latest_start is None else f", at the latest {shown(one.latest_start)}"
        meaning = f"{one.why}{latest}" if one.row is not None else f"left alone: {one.why}"
        yield f"  {job.number} {job.state}, {job.gpus} GPU(s), pool {pool}: {meaning}"
        if job.admin_comment:
            yield f"      {job.admin_comment}"


def _said(order: Order) -> str:
    at = "" if order.at is None else f" at {shown(order.at)}"
    return f"{order.kind} {order.what}{at} ({order.why})"
