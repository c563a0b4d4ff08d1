"""The day's cost by the plan against first come, first served."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Two bars of total cost; their difference is the saving."""
    saving = view["saving"]
    if saving is None:
        return None
    names = {words.t("side.fcfs"): frame.GREY, words.t("side.plan"): frame.BLUE}
    rows = [
        {"s": name, "v": round(value, 2), "l": words.quantity(value, view["currency"], 0)}
        for name, value in zip(names, (saving["baseline_cost"], saving["cost"]), strict=True)
    ]
    base = {
        "y": {
            "field": "s",
            "type": "nominal",
            "scale": {"domain": list(names)},
            "axis": {"title": None, "labelLimit": 190, "ticks": False, "domain": False},
        },
        "x": {
            "field": "v",
            "type": "quantitative",
            "scale": frame.roomy([row["v"] for row in rows]),
            "axis": {"title": view["currency"], "tickCount": 5},
        },
    }
    text = {"type": "text", "fontSize": 11, "color": frame.INK}
    return {
        "$schema": frame.SCHEMA,
        "padding": {"left": 24, "right": 5, "top": 5, "bottom": 5},  # for a wider face than the one measured with
        "width": 380,
        "height": {"step": 34},
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "tooltip": True, "size": 20},
                "encoding": base
                | {
                    "color": frame.colours(names, legend=None),
                    "tooltip": [frame.tip("s", words.t("column.series")), frame.tip("v", view["currency"], 0)],
                },
            },
            {
                "transform": [{"filter": "datum.v >= 0"}],
                "mark": text | {"align": "left", "dx": 3},
                "encoding": base | {"text": {"field": "l"}},
            },
            {
                "transform": [{"filter": "datum.v < 0"}],
                "mark": text | {"align": "right", "dx": -3},
                "encoding": base | {"text": {"field": "l"}},
            },
        ],
        "config": frame.config(words),
    }
