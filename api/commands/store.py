"""``chergui store``: make, check and move the telemetry store that a site file names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.settings import Settings, default_data_dir, moment_option
from ingest.errors import SourceUnavailable, StoreUnavailable
from ingest.site_file import find_site, read_site
from models.errors import InvalidInput
from models.horizon import use_packaged_time_zones

if TYPE_CHECKING:
    from ingest.ports import Clock
    from ingest.stores.embedded import EmbeddedStore
    from ingest.stores.influx import InfluxStore
    from models.site import Site

app = typer.Typer(add_completion=False, no_args_is_help=True)
store_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make, check or move the telemetry store.")
app.add_typer(store_app, name="store")

SITE = Annotated[str, typer.Argument(help="Site file, or the name of a sample: dakhla, local.")]
DATA = Annotated[Path | None, typer.Option(help="Folder of the service's data; default: the user's data folder.")]


class StoreName(StrEnum):
    """Where telemetry is kept."""

    embedded = "embedded"
    influxdb = "influxdb"


@store_app.command()
def init(site: SITE, data_dir: DATA = None) -> None:
    """Make the store: the embedded file, or the database of an InfluxDB 1.x; then write and read a point.

    A bucket of InfluxDB 2.x or 3 is made with the server's own tools; then this says whether we can use it.
    """
    found, settings = _site(site, data_dir)
    try:
        if found.telemetry.influxdb is None:
            typer.echo(f"the embedded store is at {_embedded(found, settings).path}")
            return
        store = _influx(found, settings)
        try:
            store.create()
        except StoreUnavailable as error:
            typer.echo(f"no database was made ({error.reason}); trying what is there")
        _probe(store)
    except (StoreUnavailable, SourceUnavailable) as error:
        raise _fail(str(error)) from None


@store_app.command()
def check(site: SITE, data_dir: DATA = None) -> None:
    """Say whether the store works: read all of the embedded one, or write a point to InfluxDB and read it back.

    Exit 1 where something is wrong; each problem says what to do.
    """
    found, settings = _site(site, data_dir)
    try:
        if found.telemetry.influxdb is not None:
            _probe(_influx(found, settings))
            for folder in sorted(settings.data_dir.glob("spool-*")):
                waiting = sum(path.stat().st_size for path in folder.glob("*.spool"))
                typer.echo(f"{folder.name}: {waiting:,} bytes wait for the server")
            return
        from ingest.stores.examine import examine

        told = examine(_embedded(found, settings))
    except (StoreUnavailable, SourceUnavailable) as error:
        raise _fail(str(error)) from None
    typer.echo(f"{told.series:,} series, {told.hot_days} hot day(s), {told.files} file(s), {told.bytes:,} bytes")
    for problem in told.problems:
        typer.echo(problem, err=True)
    if told.problems:
        raise _fail(f"{len(told.problems)} problem(s)")


@store_app.command()
def migrate(
    site: SITE,
    to: Annotated[StoreName, typer.Option(help="Where to; the other one is where from.")],
    start: Annotated[
        str | None, typer.Option(help="First instant, RFC 3339 with an offset; none: 90 days before the end.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="First instant after the last; none: now.")] = None,
    data_dir: DATA = None,
) -> None:
    """Copy telemetry from the embedded store to the site's InfluxDB or back, and compare what arrived.

    Needs `[telemetry.influxdb]` in the site file. It may be stopped and begun again: repeats change nothing. Values
    that were replaced by others are not copied.
    """
    found, settings = _site(site, data_dir)
    if found.telemetry.influxdb is None:
        raise _fail("the site file names no InfluxDB; add [telemetry.influxdb] with url and bucket")
    from ingest.stores.migrate import migrate as copied

    try:
        last = moment_option(end) or datetime.now(UTC)
        first = moment_option(start) or last - timedelta(days=90)
    except ValueError as error:
        raise _fail(str(error)) from None
    values = lost = 0
    try:
        stores = (_embedded(found, settings), _influx(found, settings))
        source, target = stores if to == StoreName.influxdb else reversed(stores)
        for day in copied(source, target, first, last):
            values, lost = values + day.values, lost + day.lost
            missing = f", {day.lost} NOT THERE" if day.lost else ""
            typer.echo(f"{day.day:%Y-%m-%d} {day.metric}: {day.values:,} values{missing}")
    except (StoreUnavailable, SourceUnavailable) as error:
        raise _fail(f"{error}; {values:,} values are copied, begin again to go on") from None
    typer.echo(f"{values:,} values copied and compared")
    if lost:
        raise _fail(f"{lost:,} values did not arrive as they are here")


def _site(site: str, data_dir: Path | None) -> tuple[Site, Settings]:
    use_packaged_time_zones()
    path = find_site(site).resolve()
    try:
        found = read_site(path)
    except InvalidInput as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{len(error.faults)} error(s) in {site}", err=True)
        raise typer.Exit(2) from None
    return found, Settings(path, (data_dir or default_data_dir()).resolve())


def _clock(settings: Settings) -> Clock:
    from api.wiring import clock_of

    return clock_of(settings)


def _embedded(site: Site, settings: Settings) -> EmbeddedStore:
    from api.telemetry_store import embedded_for

    return embedded_for(settings, site, _clock(settings))


def _influx(site: Site, settings: Settings) -> InfluxStore:
    from api.telemetry_store import influx_for

    assert site.telemetry.influxdb is not None
    return influx_for(site.telemetry.influxdb, settings.site_path.parent)


def _probe(store: InfluxStore) -> None:
    version = store.probe(datetime.now(UTC))
    typer.echo(f"{store.url} ({version}): a point was written to {store.bucket!r} and read back")


def _fail(told: str) -> typer.Exit:
    typer.echo(told, err=True)
    return typer.Exit(1)
