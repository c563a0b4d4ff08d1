"""Terms of the cost, the plan's beside the yardstick's."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

ORDER = ("import", "export", "demand_charge", "carbon", "wear", "starts", "late", "unmet", "work_value")
_SEEN = 0.005


def shown_terms(view: dict[str, Any]) -> list[str]:
    """Terms that are not zero in plan or yardstick, the known ones first."""
    sides = [view["terms"], view["baseline_terms"] or {}]
    every = {name for side in sides for name in side}
    return sorted(
        (name for name in every if any(abs(side.get(name, 0.0)) > _SEEN for side in sides)),
        key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name),
    )


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Money per term over the horizon; paid to the right, earned to the left."""
    terms = shown_terms(view)
    if not terms:
        return None
    sides = {"plan": view["terms"], "fcfs": view["baseline_terms"]}
    looks = {"plan": frame.BLUE, "fcfs": frame.GREY}
    names = {words.t(f"side.{key}"): looks[key] for key, side in sides.items() if side is not None}
    rows = [
        {
            "r": words.named("term", term),
            "s": words.t(f"side.{key}"),
            "v": round(side.get(term, 0.0), 2),
            "l": words.number(side.get(term, 0.0), 0),
        }
        for term in terms
        for key, side in sides.items()
        if side is not None
    ]
    base = {
        "y": {
            "field": "r",
            "type": "nominal",
            "scale": {"domain": [words.named("term", term) for term in terms]},
            "axis": {"title": None, "labelLimit": 150, "ticks": False, "domain": False},
        },
        "yOffset": {"field": "s", "scale": {"domain": list(names)}},
        "x": {
            "field": "v",
            "type": "quantitative",
            "scale": frame.roomy([row["v"] for row in rows]),
            "axis": {"title": view["currency"], "tickCount": 5},
        },
    }
    text = {"type": "text", "fontSize": 10, "color": frame.INK}
    return {
        "$schema": frame.SCHEMA,
        "padding": {"left": 24, "right": 5, "top": 5, "bottom": 5},  # for a wider face than the one measured with
        "width": 560,
        "height": {"step": 14 if len(names) > 1 else 26},
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "tooltip": True},
                "encoding": base
                | {
                    "color": frame.colours(names),
                    "tooltip": [
                        frame.tip("r", words.t("column.term")),
                        frame.tip("s", words.t("column.series")),
                        frame.tip("v", view["currency"], 0),
                    ],
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
