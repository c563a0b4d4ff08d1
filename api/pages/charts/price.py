"""What a MWh costs and earns at the grid, and its carbon where it is known."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Prices in money per MWh as steps; import solid, export dashed."""
    looks = {"import": (frame.DARK, [1, 0]), "export": (frame.GREEN, [5, 3])}
    known = [key for key in looks if view["price"][key] is not None]
    if not known:
        return None
    names = {words.t(f"price.{key}"): looks[key][0] for key in known}
    rows = [row for key in known for row in frame.stepped(view, view["price"][key], s=words.t(f"price.{key}"))]
    unit = f"{view['currency']}/MWh"
    layers = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
            "encoding": {
                "x": frame.x(),
                "y": frame.y("v", unit, axis={"tickCount": 4}),
                "color": frame.colours(
                    names, legend={"columns": 10, "symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 260}
                ),
                "strokeDash": {
                    "field": "s",
                    "type": "nominal",
                    "scale": {"domain": list(names), "range": [looks[key][1] for key in known]},
                    "legend": {"columns": 10},
                },
            },
        }
    ]
    return frame.timed(view, words, layers, 100)
