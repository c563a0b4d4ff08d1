"""Sun and wind: what the forecast offers with its band, and how much of it the plan uses."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

_COLOURS = {"pv": frame.ORANGE, "wind": frame.BLUE}


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Power in MW per source: bands from p10 to p90 and, pale, p5 to p95, the planned-with line, and use."""
    known = [key for key in _COLOURS if view["available"][key] is not None and max(view["available"][key]) > 0]
    if not known or view["supply"]["pv"] is None:
        return None
    layers: list[dict[str, Any]] = []
    names = {words.t(f"supply.{key}"): _COLOURS[key] for key in known}
    for key in known:
        name = words.t(f"supply.{key}")
        band = view["bands"][key]
        amount = frame.y("v", words.t("axis.power_mw"))
        for low, high, opacity in (("p05", "p95", 0.1), ("p10", "p90", 0.22)):
            if not band or low not in band:
                continue
            rows = [
                row | {"low": below["v"]}
                for row, below in zip(
                    frame.stepped(view, band[high], s=name), frame.stepped(view, band[low]), strict=True
                )
            ]
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": {"type": "area", "interpolate": "step-after", "opacity": opacity},
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
