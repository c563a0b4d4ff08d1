"""The loads in ``chergui forecast``: how each is expected, how good that was over two weeks, and its fan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from api.knowledge import Knowledge
from models.horizon import Horizon
from models.site import Site

if TYPE_CHECKING:
    from api.expected_load import ExpectedLoad


def loads_of(
    site: Site, horizon: Horizon, now: datetime, knowledge: Knowledge, file: Path | None, base: Path | None = None
) -> Mapping[str, ExpectedLoad]:
    """Loads of which something is metered, or of ``file`` instead, by name.

    ``base``: where file paths of the site start from; with it cooling stands beside IT load, which takes weather.

    Raises:
        InvalidInput: the file is refused.
        CherguiError: no weather for the cooling.
    """
    from api.expected import expected
    from api.expected_load import IT, expected_loads, load_names, with_cooling
    from api.learned_cooling import learned_pieces
    from ingest.sources.outlook.load_history import read_loads

    read = None if file is None else read_loads(file, load_names(site))
    loads = expected_loads(site, horizon, now, knowledge, read)
    if base is not None and loads.by_name[IT].bands is not None:
        sky = expected(site, horizon, now, base, knowledge).forecast
        dry, wet = (sky[name].values.tolist() for name in ("dry_bulb_c", "wet_bulb_c"))
        loads = with_cooling(loads, site, (dry, wet), learned_pieces(site, dry, wet, now, knowledge).tangents)
    return {name: load for name, load in loads.by_name.items() if load.told is not None}


def tell_load(name: str, load: ExpectedLoad) -> None:
    """A load's step, why not a higher one, and how good it has been."""
    told = load.told or {}
    reasons = "; ".join(reason for reason in (told["reason"], told["not_learned"]) if reason)
    typer.echo(f"{name}: {told['kind']}" + (f" ({reasons})" if reasons else ""))
    typer.echo(f"  metered until {told['known_since']}")
    if (scores := told["scores"]) is not None:
        typer.echo(
            f"  over {scores['days']} days {scores['skill']:.0%} better than {scores['beside']}; P5 to P95 covered "
            f"{scores['cover_p05_p95']:.0%}" + ("" if scores["proven"] else "; unproven until 60 days are scored")
        )
