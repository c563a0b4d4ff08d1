"""Charts of the day: each a small function from view model and language to a Vega-Lite specification.

The same dict becomes an SVG on the server when the plan is published and an interactive chart in the
browser; there is no second drawing code. Nothing here draws, loads or imports anything heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.pages.charts import battery, caps, cost, gantt, price, renewables, saving, supply, temperatures
from api.pages.charts.plant import PLANT
from api.pages.words import Words, words

Spec = dict[str, Any]
CHARTS: dict[str, Callable[[dict[str, Any], Words], Spec | None]] = {
    "supply": supply.spec,
    "renewables": renewables.spec,
    "gantt": gantt.spec,
    "battery": battery.spec,
    "caps": caps.spec,
    "temperatures": temperatures.spec,
    "price": price.spec,
    "cost": cost.spec,
    "saving": saving.spec,
}


def specs(view: dict[str, Any], language: str) -> dict[str, Spec]:
    """Chart name to Vega-Lite specification; a chart whose facts the plan lacks is left out."""
    drawn = {name: build(view, words(language)) for name, build in (CHARTS | PLANT).items()}
    return {name: spec for name, spec in drawn.items() if spec is not None}
