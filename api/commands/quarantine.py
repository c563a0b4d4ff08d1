"""``chergui quarantine``: what the quality gate has flagged, from wherever a service keeps it, and its release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.settings import Settings
from ingest.catalogue import unit_of
from ingest.errors import StoreUnavailable
from ingest.points import from_ns
from ingest.ports import TelemetryStore
from ingest.quality_words import WORDS
from ingest.quarantine import Quarantined, Which, quarantined
from ingest.site_file import find_site, read_site
from models.errors import CherguiError
from models.horizon import parse_rfc3339, rfc3339
from models.site import Site

app = typer.Typer(add_completion=False)


@app.command()
def quarantine(
    hours: Annotated[float, typer.Option(min=0.01, help="How far back from --until.")] = 24.0,
    until: Annotated[
        str | None, typer.Option(help="RFC 3339; none: a day from now, for clocks that are ahead.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Of this metric only, such as gpu.power_w.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="KEY=VALUE that a series must carry; may be repeated.")] = None,
    flag: Annotated[str | None, typer.Option(help="With this word only, such as stuck.")] = None,
    bad_only: Annotated[
        bool, typer.Option("--bad-only", help="Leave out flags on values that are good, and what was released.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many lines at most.")] = 50,
    release: Annotated[
        bool, typer.Option("--release", help="Let what is listed count as good; needs --metric and --why.")
    ] = False,
    why: Annotated[str | None, typer.Option(help="Why it is released, for the record.")] = None,
    site: Annotated[str | None, typer.Option(help="Site file; none: that of the service in the data folder.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the service's data; default: the user's data folder.")
    ] = None,
) -> None:
    """List values that were flagged when they came, newest first, with the reasons; or release them.

    Values and flags stay as they are. Who released them, when and why is kept beside them and in the audit trail.
    """
    from api.commands.service import settings_in

    _refuse(flag, metric, why, release=release)
    settings = settings_in(data_dir)
    try:
        found = read_site(find_site(site) if site else settings.site_path)
        store = _store(settings, found)
        last = datetime.now(UTC) + timedelta(days=1) if until is None else parse_rfc3339(until)
        first = (datetime.now(UTC) if until is None else last) - timedelta(hours=hours)
        which = Which(first, last, metric, dict(map(_pair, tag or ())), flag, bad_only)
        if release:
            count = _release(data_dir, store, which, why or "")
            typer.echo(f"{count} value(s) released")
        rows, total = quarantined(store, which, limit=limit)
        store.close()
    except (CherguiError, ValueError) as error:
        typer.echo(f"chergui: {error}", err=True)
        raise typer.Exit(1) from None
    for row in rows:
        typer.echo(_line(row))
    typer.echo(f"{total} flagged value(s) from {rfc3339(first)} to {rfc3339(last)}" + _more(len(rows), total))


def _refuse(flag: str | None, metric: str | None, why: str | None, *, release: bool) -> None:
    told = None
    if flag is not None and flag not in WORDS:
        told = f"{flag!r} is no flag; known: {', '.join(WORDS)}"
    elif release and not (metric and why and why.isprintable()):
        told = "--release needs --metric, and --why with a line of text"
    if told:
        typer.echo(f"chergui: {told}", err=True)
        raise typer.Exit(2)


def _store(settings: Settings, site: Site) -> TelemetryStore:
    """The store of the service.

    Raises:
        StoreUnavailable: there is none.
    """
    from api.telemetry_store import store_beside

    store = store_beside(settings, site)
    if store is None:
        told = "there is no telemetry; name the folder of its data with --data-dir"
        raise StoreUnavailable(str(settings.data_dir), told)
    return store


def _release(data_dir: Path | None, store: TelemetryStore, which: Which, why: str) -> int:
    from api.commands.service import state_of, who
    from api.releases import Releases
    from ingest.clock import SystemClock

    _, engine = state_of(data_dir)
    return Releases(engine, store, SystemClock()).release(which, who(), why)


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise ValueError(f"--tag {text!r} is no tag; write KEY=VALUE")
    return key, value


def _more(shown: int, total: int) -> str:
    return f", the newest {shown} shown" if shown < total else ""


def _line(row: Quarantined) -> str:
    where = " ".join(f"{name}={text}" for name, text in row.tags)
    shown = row.raw if row.value is None else row.value
    unit = unit_of(row.metric)
    value = f"{shown} {'' if unit == '1' else unit}".strip()
    reasons = "; ".join(f"{flag}: {reason}" for flag, reason in zip(row.flags, row.reasons, strict=True))
    told = row.released
    if told is not None:
        reasons += f"; released by {told.by} at {told.at}: {told.why}"
    return f"{rfc3339(from_ns(row.time_ns))}  {row.state:7}  {row.metric} = {value}  ({where})  {reasons}"
