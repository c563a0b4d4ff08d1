"""What generating sets, nodes, cooling units and the chilled-water tank do: each drawn where a site has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

COLOURS = (frame.BLUE, frame.ORANGE, frame.GREEN, frame.PINK, frame.SKY, frame.RED, frame.DARK, frame.YELLOW)
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])


def generators(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """What each generating set gives, MW."""
    return _stepped(view, words, view["plant"]["generators"], words.t("axis.power_mw"))


def nodes(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Nodes that are on in each pool whose nodes may be off."""
    return _stepped(view, words, view["plant"]["nodes"], words.t("axis.nodes"))


def units(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Heat that each cooling unit removes, MW."""
    return _stepped(view, words, view["plant"]["units"], words.t("axis.heat_mw"))


def tank(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Cold in the tank in MWh at slot borders (a straight line inside a slot), and how much there can be."""
    told = view["plant"]["tank"]
    if told is None:
        return None
    title = words.t("axis.energy_mwh")
    rows = [{"t": t, "v": round(v, 4)} for t, v in zip(frame.at(view), told["stored_mwh"], strict=True)]
    highest = words.t("limit.tank_full", value=words.quantity(told["energy_mwh"], "MWh"))
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": rows},
            "mark": {"type": "area", "line": True, "fillOpacity": 0.25, "color": frame.SKY},
            "encoding": {
                "x": frame.x(),
                "y": frame.y("v", title, scale={"domain": [0, told["energy_mwh"] * 1.08]}, stack=None),
            },
        },
        *frame.level(view, told["energy_mwh"], highest, frame.DARK, title),
    ]
    return frame.timed(view, words, layers, 110)


def _stepped(
    view: dict[str, Any], words: Words, series: Mapping[str, list[float]], title: str
) -> dict[str, Any] | None:
    """One step line for each name; patterns differ, not colours alone."""
    if not series:
        return None
    looks = {name: (COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)]) for k, name in enumerate(series)}
    legend = {"columns": 10, "symbolType": "stroke", "symbolStrokeWidth": 2, "symbolSize": 260}
    dash = {"domain": list(looks), "range": [pattern for _, pattern in looks.values()]}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [row for name, values in series.items() for row in frame.stepped(view, values, s=name)]},
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
            "encoding": {
                "x": frame.x(),
                "y": frame.y("v", title, scale={"zero": True}),
                "color": frame.colours({name: colour for name, (colour, _) in looks.items()}, legend=legend),
                "strokeDash": {"field": "s", "type": "nominal", "scale": dash, "legend": {"columns": 10}},
            },
        }
    ]
    return frame.timed(view, words, layers, 110)


PLANT: dict[str, Callable[[dict[str, Any], Words], dict[str, Any] | None]] = {
    "generators": generators,
    "nodes": nodes,
    "units": units,
    "tank": tank,
}
"""Charts of what only some sites have; on the page where there is something to draw."""
