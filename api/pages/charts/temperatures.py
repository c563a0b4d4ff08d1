"""Outside air, hall, loop and thermal masses with their limits."""

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
MASSES = ((frame.GREEN, [8, 2]), (frame.PINK, [4, 2]), (frame.BLUE, [2, 3]), (frame.RED, [8, 2, 2, 2]))
LIMITS = {"hall_air_recommended_c": frame.DARK, "hall_air_allowable_c": frame.RED}


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Degrees Celsius per slot; line patterns differ, not colours alone."""
    known = [key for key in LOOKS if view["temperatures"].get(key)]
    if not known and not view["masses"]:
        return None
    lines = {words.t(f"temperature.{key}"): (view["temperatures"][key], *LOOKS[key]) for key in known}
    for k, mass in enumerate(view["masses"]):
        lines[words.t("temperature.mass", name=mass["name"])] = (mass["c"], *MASSES[k % len(MASSES)])
    names = {name: colour for name, (_, colour, _) in lines.items()}
    rows = [row for name, (values, _, _) in lines.items() for row in frame.stepped(view, values, s=name)]
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
                    "scale": {"domain": list(names), "range": [dash for _, _, dash in lines.values()]},
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
    for k, mass in enumerate(view["masses"]):
        for key in ("recommended_c", "allowable_c"):
            if mass[key] is not None:
                text = words.t(f"limit.mass_{key}", name=mass["name"], value=words.quantity(mass[key], "°C"))
                layers += frame.level(view, mass[key], text, MASSES[k % len(MASSES)][0], title)
    return frame.timed(view, words, layers, 170)
