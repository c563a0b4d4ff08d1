"""``chergui learn plant``: the COP of a whole cooling plant from its meters, kept where it beats the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.settings import default_data_dir, moment_option
from models.errors import CherguiError
from models.horizon import use_packaged_time_zones


def plant(
    site: Annotated[str, typer.Option(help="Site file, or the name of a sample: dakhla, local.")] = "dakhla",
    records: Annotated[
        Path | None, typer.Option(help="CSV: time, heat_mw, power_mw, ambient_c of the whole plant; none: its meters.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder that keeps the COP, the service's; default: the user's data folder.")
    ] = None,
    now: Annotated[str | None, typer.Option(help="Work as of this instant (RFC 3339) instead of the present.")] = None,
    if_used: Annotated[
        bool, typer.Option("--if-used", help="Only where plans take it; else learn nothing and end with 0 (timers).")
    ] = False,
) -> None:
    """Learn a plant's COP and keep it where it beats the site file: exit 0, 1 not promoted, 2 where it cannot teach.

    Plans take it where the site file says learned = true under [cooling].
    """
    from api.knowledge import Knowledge
    from api.learned_cooling import metered_plant, taught
    from api.settings import Settings
    from api.telemetry_store import store_beside
    from ingest.plant_records import read_plant_records
    from ingest.site_file import find_site, read_site
    from models.learn.plant_records import screen_records

    use_packaged_time_zones()
    try:
        path = find_site(site).resolve()
        described, moment = read_site(path), moment_option(now) or datetime.now(UTC)
        if if_used and not (described.cooling is not None and described.cooling.learned):
            typer.echo("nothing learned: the site file does not say  learned = true  under [cooling]")
            return
        settings = Settings(path, (data_dir or default_data_dir()).resolve())
        knowledge = Knowledge(settings.data_dir, described.name, store_beside(settings, described))
        screened = (
            metered_plant(described, moment, knowledge)
            if records is None
            else screen_records(read_plant_records(records))
        )
        found, verdict = taught(described, screened, moment, knowledge)
    except (ValueError, CherguiError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for note in found.notes:
        typer.echo(note, err=True)
    typer.echo(f"{found.chiller.rows} hours from {found.window[0]} to {found.window[1]}; held-out error of the power:")
    for name, error_share in sorted(found.scores.items(), key=lambda pair: pair[1]):
        typer.echo(f"  {name:<36}{error_share:.1%}")
    typer.echo(f"{'promoted' if verdict.serves else 'not promoted'}: {verdict.reason}")
    if described.cooling is not None and not described.cooling.learned:
        typer.echo("plans take it once the site file says  learned = true  under [cooling]")
    if not verdict.serves:
        raise typer.Exit(1)
