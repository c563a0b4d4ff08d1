"""``chergui invoice``: a month's invoice by a site's tariff, from a meter's record or the service's telemetry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.settings import Settings, default_data_dir
from ingest.site_file import find_site, read_site
from models.errors import CherguiError, InvalidInput, NotFound
from models.horizon import use_packaged_time_zones

if TYPE_CHECKING:
    from models.horizon import Horizon
    from models.invoice import Invoice
    from models.site import Site

app = typer.Typer(add_completion=False)
_STEP = timedelta(minutes=15)


@app.command()
def invoice(
    site: Annotated[str, typer.Argument(help="Site file, or the name of a sample: dakhla, local.")],
    month: Annotated[str, typer.Argument(help="Month of the site's calendar, such as 2026-02.")],
    meter: Annotated[
        Path | None, typer.Option(help="CSV of the meter: time,import_mw,export_mw; none: the service's telemetry.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the service's data; default: the user's data folder.")
    ] = None,
) -> None:
    """Write the invoice of a month line by line, to hold against the supplier's."""
    from models.invoice import invoice as made
    from models.invoice import month_of

    use_packaged_time_zones()
    try:
        found = read_site(find_site(site))
        told = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", month)
        if told is None:
            raise ValueError(f"{month!r} is no month; write one such as 2026-02")
        period = month_of(int(told[1]), int(told[2]), found.zone, _STEP)
        drawn, given = _counted(found, period, meter, data_dir)
        result = made(found.tariff, period, found.zone, drawn, given)
    except InvalidInput as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{len(error.faults)} error(s) in {error.what}", err=True)
        raise typer.Exit(2) from None
    except (CherguiError, ValueError) as error:
        typer.echo(f"chergui: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join(_lines(result, found)))


def _counted(
    site: Site, period: Horizon, meter: Path | None, data_dir: Path | None
) -> tuple[Sequence[float], Sequence[float]]:
    """Imports and exports on the slots of the period; NaN where nothing was counted."""
    if meter is not None:
        from ingest.sources.meter_csv import read

        drawn, given = read(meter)
        return drawn.on(period).tolist(), given.on(period).tolist()
    from ingest.stores.embedded import EmbeddedStore

    settings = Settings(Path(), (data_dir or default_data_dir()).resolve())
    if not settings.telemetry_path.is_file():
        raise ValueError(f"there is no telemetry in {settings.data_dir}; name its folder, or a meter's record")
    store, here = EmbeddedStore(settings.telemetry_path), {"site": site.name}

    def means(metric: str) -> list[float]:
        found: list[float] = store.query(metric, here, period.start, period.end, period.step).values.tolist()
        return found

    drawn_mw = means("site.import_mw")
    try:
        return drawn_mw, means("site.export_mw")
    except NotFound:  # a site that gives nothing back
        return drawn_mw, []


def _lines(told: Invoice, site: Site) -> Iterator[str]:
    yield f"{site.name}, {told.start:%Y-%m-%d %H:%M} to {told.end:%Y-%m-%d %H:%M} UTC, {site.currency}"
    yield f"{'':14} {'quantity':>14} {'':6} {'price':>12} {'amount':>16}"
    for line in told.lines:
        yield f"{line.name:14} {line.quantity:14,.3f} {line.unit:6} {line.price:12,.2f} {line.amount:16,.2f}"
    yield f"{'net':14} {'':14} {'':6} {'':12} {told.net:16,.2f}"
    if told.vat:
        yield f"{'VAT':14} {'':14} {'':6} {'':12} {told.vat:16,.2f}"
        yield f"{'to pay':14} {'':14} {'':6} {'':12} {told.total:16,.2f}"
