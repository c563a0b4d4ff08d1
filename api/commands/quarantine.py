"""``chergui quarantine``: what the quality gate has flagged, from a data folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.settings import Settings, default_data_dir
from ingest.catalogue import unit_of
from ingest.points import from_ns
from ingest.quality_words import WORDS
from ingest.quarantine import Quarantined, quarantined
from models.errors import CherguiError
from models.horizon import parse_rfc3339, rfc3339

app = typer.Typer(add_completion=False)


@app.command()
def quarantine(
    hours: Annotated[float, typer.Option(min=0.01, help="How far back from --until.")] = 24.0,
    until: Annotated[
        str | None, typer.Option(help="RFC 3339; none: a day from now, for clocks that are ahead.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Of this metric only, such as gpu.power_w.")] = None,
    flag: Annotated[str | None, typer.Option(help="With this word only, such as stuck.")] = None,
    bad_only: Annotated[bool, typer.Option("--bad-only", help="Leave out flags on values that are good.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many lines at most.")] = 50,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the service's data; default: the user's data folder.")
    ] = None,
) -> None:
    """List values that were flagged when they came, newest first, with the reasons. Nothing is changed by it."""
    from ingest.stores.embedded import EmbeddedStore

    if flag is not None and flag not in WORDS:
        typer.echo(f"chergui: {flag!r} is no flag; known: {', '.join(WORDS)}", err=True)
        raise typer.Exit(2)
    settings = Settings(Path(), (data_dir or default_data_dir()).resolve())
    if not settings.telemetry_path.is_file():
        typer.echo(f"chergui: there is no telemetry in {settings.data_dir}; name its folder with --data-dir", err=True)
        raise typer.Exit(1)
    try:
        last = datetime.now(UTC) + timedelta(days=1) if until is None else parse_rfc3339(until)
        first = (datetime.now(UTC) if until is None else last) - timedelta(hours=hours)
        rows, total = quarantined(
            EmbeddedStore(settings.telemetry_path),
            first,
            last,
            metric=metric,
            flag=flag,
            bad_only=bad_only,
            limit=limit,
        )
    except (CherguiError, ValueError) as error:
        typer.echo(f"chergui: {error}", err=True)
        raise typer.Exit(1) from None
    for row in rows:
        typer.echo(_line(row))
    typer.echo(f"{total} flagged value(s) from {rfc3339(first)} to {rfc3339(last)}" + _more(len(rows), total))


def _more(shown: int, total: int) -> str:
    return f", the newest {shown} shown" if shown < total else ""


def _line(row: Quarantined) -> str:
    where = " ".join(f"{name}={text}" for name, text in row.tags)
    shown = row.raw if row.value is None else row.value
    unit = unit_of(row.metric)
    value = f"{shown} {'' if unit == '1' else unit}".strip()
    reasons = "; ".join(f"{flag}: {reason}" for flag, reason in zip(row.flags, row.reasons, strict=True))
    return f"{rfc3339(from_ns(row.time_ns))}  {row.state:7}  {row.metric} = {value}  ({where})  {reasons}"
