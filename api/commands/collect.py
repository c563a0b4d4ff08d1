"""``chergui collect``: a site's telemetry sources, tried once or run until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.settings import Settings, default_data_dir
from ingest.catalogue import unit_of
from ingest.errors import SourceUnavailable
from ingest.points import Point, Tags, Value
from ingest.ports import JobSource, Source
from ingest.site_file import find_site, read_site
from models.errors import InvalidInput
from models.horizon import use_packaged_time_zones
from models.site import Site

app = typer.Typer(add_completion=False, no_args_is_help=True)
_AT_ONCE = 16
_REPORT_S = 10.0
_PATIENCE_S = 10.0
_LISTENING_S = 3.0


@app.command()
def collect(
    site: Annotated[str, typer.Argument(help="Site file, or the name of a sample: dakhla, local.")],
    once: Annotated[
        bool, typer.Option("--once", help="Ask every source once, print what it says, keep nothing.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the service's data; default: the user's data folder.")
    ] = None,
) -> None:
    """Ask a site's telemetry sources: once, to see what they say (exit 1 where one says nothing), or until Ctrl-C.

    Once, what the planner reads by itself (queues, weather, prices, carbon) is asked as well. Without --once values go
    into the data folder's telemetry. `chergui run` collects by itself; beside it, only --once makes sense.
    """
    from api.sources import sources_of

    use_packaged_time_zones()
    path = find_site(site).resolve()
    try:
        found = read_site(path)
    except InvalidInput as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{len(error.faults)} error(s) in {site}", err=True)
        raise typer.Exit(2) from None
    if once:
        silent = _try(sources_of(found, path.parent, trial=True))
        raise typer.Exit(max(silent, _try_queues(found, path.parent), _try_outlook(found, path.parent)))
    _run(Settings(path, (data_dir or default_data_dir()).resolve()))


def _try(sources: Sequence[Source]) -> int:
    """Ask each source once, several at a time; how many said nothing decides the exit status."""
    silent = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for source, told in zip(sources, pool.map(_asked, sources), strict=True):
            values = [] if isinstance(told, str) else list(_summary(told))
            silent += not values
            if isinstance(told, str) or not values:
                typer.echo(f"{source.name}: {told if isinstance(told, str) else 'nothing came'}")
                continue
            typer.echo(f"{source.name}: {len(told)} points")
            for line in values:
                typer.echo(f"  {line}")
    if silent:
        typer.echo(f"{silent} of {len(sources)} source(s) said nothing", err=True)
    return 1 if silent else 0


def _try_queues(site: Site, folder: Path) -> int:
    """Ask each queue once: how many jobs, and how many of them the policy names."""
    if not site.jobs.any:
        return 0
    from api.job_reading import judged_jobs
    from api.job_round import counts
    from api.job_sources import lists_of, policy_of, slurm_source

    policy, now, silent = policy_of(site, folder).now(), datetime.now(UTC), 0
    queues: list[JobSource] = [source for _, source in lists_of(site, folder)]
    if site.jobs.slurm is not None:
        queues.append(slurm_source(site.jobs.slurm, folder))
    for queue in queues:
        try:
            told = counts(judged_jobs(queue.jobs(now), policy, site, now))
        except SourceUnavailable as error:
            silent = 1
            typer.echo(f"{queue.name}: {error}")
            continue
        typer.echo(f"{queue.name}: {told['jobs']} job(s), {told['named']} named by the policy")
    return silent


def _try_outlook(site: Site, folder: Path) -> int:
    """Ask each source of weather, prices and carbon once."""
    from api.outlook import outlook

    silent = 0
    for one in outlook(site, datetime.now(UTC), folder):
        silent = silent if one.good else 1
        typer.echo(f"{one.name}: {one.told}")
    return silent


def _asked(source: Source) -> Sequence[Point] | str:
    """What a source says; for one that others publish to, what comes within some seconds."""
    begun = time.monotonic()
    points: list[Point] = []
    try:
        while True:
            points += source.poll(datetime.now(UTC))
            waited_s = time.monotonic() - begun
            if (points and (source.period_s >= 1 or waited_s > _LISTENING_S)) or waited_s > _PATIENCE_S:
                return points
            time.sleep(0.1)
    except Exception as error:  # whatever it is, it is this source's answer
        return f"{type(error).__name__}: {error}"
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def _summary(points: Iterable[Point]) -> Iterable[str]:
    """For each metric: the first value with its tags, and how many series more there are."""
    first: dict[str, tuple[Value, Tags]] = {}
    series: dict[str, set[Tags]] = {}
    for point in points:
        if point.measurement == "source":
            continue
        for field, value in point.fields:
            metric = f"{point.measurement}.{field}"
            first.setdefault(metric, (value, point.tags))
            series.setdefault(metric, set()).add(point.tags)
    for metric, (value, tags) in first.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        unit = unit_of(metric)
        where = " ".join(f"{name}={text}" for name, text in tags if name != "site")
        parts = [metric, "=", shown, "" if unit == "1" else unit, f"({where})" if where else ""]
        more = len(series[metric]) - 1
        yield " ".join(part for part in parts if part) + (f", and {more} more" if more else "")


def _run(settings: Settings) -> None:
    """Collect until told to stop; every ten seconds a line a source."""
    from api import logs
    from api.wiring import collector_for

    logs.configure("collector")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    collector = collector_for(settings)
    runner = threading.Thread(target=collector.run, args=(stop,), name="collector")
    runner.start()
    while not stop.wait(_REPORT_S):
        for one in collector.status():
            state = "ok" if not one.failing else f"failing {one.failing} times: {one.last_error}"
            typer.echo(f"{one.name}: {one.points} points in {one.polls} polls, {state}")
    runner.join()
    collector.close()
