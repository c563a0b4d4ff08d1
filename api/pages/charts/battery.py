"""Stored energy of each battery between its bounds."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

_COLOURS = (frame.GREEN, frame.BLUE, frame.PINK, frame.ORANGE)


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """State of charge in MWh at slot borders (a straight line inside a slot), with lowest and highest allowed."""
    if not view["batteries"]:
        return None
    marks = frame.at(view)
    names = {battery["name"]: _COLOURS[index % len(_COLOURS)] for index, battery in enumerate(view["batteries"])}
    rows = [
        {"t": t, "v": round(v, 4), "s": battery["name"]}
        for battery in view["batteries"]
        for t, v in zip(marks, [battery["soc_start_mwh"], *battery["soc_mwh"]], strict=True)
    ]
    title = words.t("axis.energy_mwh")
    top = max(battery["max_mwh"] for battery in view["batteries"])
    amount = frame.y("v", title, scale={"domain": [0, top * 1.08]})
    one = len(names) == 1
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": rows},
            "mark": {"type": "area" if one else "line"} | ({"line": True, "fillOpacity": 0.25} if one else {}),
            "encoding": {
                "x": frame.x(),
                "y": amount | {"stack": None},
                "color": frame.colours(names),
            },
        }
    ]
    for battery in view["batteries"]:
        low, high = battery["min_mwh"], battery["max_mwh"]
        layers += frame.level(
            view,
            high,
            words.t("limit.highest", name=battery["name"], value=words.quantity(high, "MWh")),
            frame.DARK,
            title,
        )
        layers += frame.level(
            view,
            low,
            words.t("limit.lowest", name=battery["name"], value=words.quantity(low, "MWh")),
            frame.DARK,
            title,
        )
    return frame.timed(view, words, layers, 130)
