"""``chergui doctor``: is this installation fit to plan? Every finding comes with its mend."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.checkup import host, libraries
from api.checkup.finding import Finding
from ingest.site_file import find_site, read_site
from models.errors import InvalidInput
from models.horizon import parse_rfc3339

app = typer.Typer(add_completion=False)

_COLOURS = {"ok": "green", "note": "cyan", "warn": "yellow", "fail": "bold red"}


@app.command()
def doctor(
    site: Annotated[str, typer.Option(help="Site file or sample whose time zone is checked.")] = "dakhla",
    data_dir: Annotated[Path, typer.Option(help="Where the service keeps its stores.")] = Path("var"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port that the service would take.")] = 8080,
    now: Annotated[
        str | None, typer.Option(help="Pretend that it is this time (RFC 3339).", show_default="the clock")
    ] = None,
) -> None:
    """Check the installation: names, libraries, solver, stores, clock, time zones, GPUs, port.

    Exits with 0 when nothing fails (warnings are allowed), with 1 otherwise.
    """
    try:
        moment = parse_rfc3339(now) if now else datetime.now(UTC)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--now") from None
    found = list(examine(site, data_dir, port, moment))
    _show(found)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in found) else 0)


def examine(site: str, data_dir: Path, port: int, now: datetime) -> Iterator[Finding]:
    """All findings about this installation, in the order in which they matter."""
    installed = libraries.installed_here()
    return itertools.chain(
        libraries.python(),
        libraries.names(),
        libraries.libraries(libraries.lock_text(), installed, libraries.required_here()),
        libraries.retired(installed),
        libraries.solver(),
        host.stores(data_dir),
        host.clock(now),
        _zones(site, now),
        host.gpus(),
        host.port(port),
    )


def _zones(site: str, now: datetime) -> Iterator[Finding]:
    try:
        zone = read_site(find_site(site)).timezone
    except InvalidInput as error:
        yield Finding("time zones", "fail", str(error), f"see chergui check {site}")
        return
    yield from host.time_zones(zone, now)


def _show(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("check", "state", "what was seen"):
        table.add_column(heading, overflow="fold")
    for finding in found:
        seen = Text(finding.seen)
        if finding.mend:
            seen.append(f"\n→ {finding.mend}", style="dim")
        table.add_row(finding.check, Text(finding.state, style=_COLOURS[finding.state]), seen)
    console = Console(highlight=False)
    console.print(table)
    counts = {state: sum(finding.state == state for finding in found) for state in _COLOURS}
    console.print(", ".join(f"{number} {state}" for state, number in counts.items() if number))
