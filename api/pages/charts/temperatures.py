"""Outside air, hall and loop temperatures with the limits of the hall."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

LOOKS = {
    "dry_bulb_c": (frame.ORANGE, [1, 0]),
    "wet_bulb_c": (frame.SKY, [2, 2]),
    "hall_air_c": (frame.BLUE, [1, 0]),
    "loop_supply_c": (frame.PINK, [6, 3]),
    "mass_c": (frame.GREEN, [8, 2]),
}
LIMITS = {"hall_air_recommended_c": frame.DARK, "hall_air_allowable_c": frame.RED}


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Degrees Celsius per slot; line patterns differ, not colours alone."""
    known = [key for key in LOOKS if view["temperatures"].get(key)]
    if not known:
        return None
    names = {words.t(f"temperature.{key}"): LOOKS[key][0] for key in known}
    rows = [
        row for key in known for row in frame.stepped(view, view["temperatures"][key], s=words.t(f"temperature.{key}"))
    ]
    title = words.t("axis.temperature_c")
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
            "encoding": {
                "x": frame.x(),
                "y": frame.y("v", title, scale={"zero": False}),
                "color": frame.colours(
                    names, legend={"columns": 10, "symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 260}
                ),
                "strokeDash": {
                    "field": "s",
                    "type": "nominal",
                    "scale": {"domain": list(names), "range": [LOOKS[key][1] for key in known]},
                    "legend": {"columns": 10},
                },
            },
        }
    ]
    for key, colour in LIMITS.items():
        value = view["limits"].get(key)
        if value is not None:
            layers += frame.level(
                view, value, words.t(f"limit.{key}", value=words.quantity(value, "°C")), colour, title
            )
    return frame.timed(view, words, layers, 170)
