"""Sun and wind: what the forecast offers with its band, and how much of it the plan uses."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

_COLOURS = {"pv": frame.ORANGE, "wind": frame.BLUE}


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Power in MW per source: band from p10 to p90, the planned-with line, and use as a filled area."""
    known = [key for key in _COLOURS if view["available"][key] is not None and max(view["available"][key]) > 0]
    if not known or view["supply"]["pv"] is None:
        return None
    layers: list[dict[str, Any]] = []
    names = {words.t(f"supply.{key}"): _COLOURS[key] for key in known}
    for key in known:
        name = words.t(f"supply.{key}")
        band = view["bands"][key]
        amount = frame.y("v", words.t("axis.power_mw"))
        if band:
            rows = [
                row | {"low": low["v"]}
                for row, low in zip(
                    frame.stepped(view, band["p90"], s=name), frame.stepped(view, band["p10"]), strict=True
                )
            ]
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.22},
                    "encoding": {
                        "x": frame.x(),
                        "y": amount,
                        "y2": {"field": "low"},
                        "color": frame.colours(names, legend={"columns": 10, "symbolOpacity": 1}),
                    },
                }
            )
        rows = [
            row | {"u": used["v"]}
            for row, used in zip(
                frame.stepped(view, view["available"][key], s=name),
                frame.stepped(view, view["supply"][key]),
                strict=True,
            )
        ]
        for field, looks in (("v", {"strokeDash": [4, 3], "strokeWidth": 1.2}), ("u", {"strokeWidth": 2.4})):
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": {"type": "line", "interpolate": "step-after", **looks},
                    "encoding": {
                        "x": frame.x(),
                        "y": frame.y(field, words.t("axis.power_mw")),
                        "color": frame.colours(names),
                    },
                }
            )
    return frame.timed(view, words, layers, 170)
