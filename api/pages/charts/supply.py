"""Supply stacked upwards, demand stacked downwards, and the demand line over the supply that meets it."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.words import Words

SUPPLY = {"pv": frame.ORANGE, "wind": frame.SKY, "battery": frame.GREEN, "generator": frame.RED, "import": frame.DARK}
DEMAND = {
    "it": frame.BLUE,
    "services": frame.SKY,
    "cooling": frame.PINK,
    "base": frame.GREY,
    "charge": frame.GREEN,
    "export": frame.YELLOW,
}
_NAMED_FROM = 0.06  # share of the whole height from which a layer carries its name


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """Power in MW: what gives above zero, what takes below, curtailment as a dashed pale cap."""
    if view["supply"]["pv"] is None:
        return None
    names: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for group, palette, sign in (("supply", SUPPLY, 1), ("demand", DEMAND, -1)):
        base = [0.0] * view["horizon"]["slots"]
        for key, colour in palette.items():
            values = view[group].get(key)
            if values is None or not any(abs(v) > 1e-6 for v in values):
                continue
            name = words.t(f"{group}.{key}")
            names[name] = colour
            top = [b + sign * v for b, v in zip(base, values, strict=True)]
            lows = frame.stepped(view, base)
            rows += [row | {"b": low["v"]} for row, low in zip(frame.stepped(view, top, s=name), lows, strict=True)]
            base = top
    supplied = _total(view["supply"])
    demanded = _total(view["demand"])
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": rows},
            "mark": {
                "type": "area",
                "interpolate": "step-after",
                "stroke": "white",
                "strokeWidth": 0.5,
            },
            "encoding": {
                "x": frame.x(),
                "y": frame.y(
                    "v",
                    words.t("axis.power_mw"),
                    stack=None,
                    axis={"labelExpr": "format(abs(datum.value), ',~g')", "tickCount": 7},
                ),
                "color": frame.colours(names),
                "y2": {"field": "b"},
            },
        }
    ]
    if any(v > 1e-3 for v in view["curtailed"]):
        layers.append(_curtailed(view, supplied))
    layers.append(
        {
            "data": {"values": frame.stepped(view, demanded)},
            "mark": {"type": "line", "interpolate": "step-after", "color": frame.INK, "strokeWidth": 2},
            "encoding": {"x": frame.x(), "y": {"field": "v", "type": "quantitative"}},
        }
    )
    layers.append(_names(view, words, max(max(supplied), 0.1) + max(max(demanded), 0.1)))
    layers.append(
        {
            "data": {"values": [{"v": 0}]},
            "mark": {"type": "rule", "color": frame.INK},
            "encoding": {"y": {"field": "v", "type": "quantitative"}},
        }
    )
    return frame.timed(view, words, layers, 330)


def _curtailed(view: dict[str, Any], supplied: list[float]) -> dict[str, Any]:
    """What sun and wind offered beyond use, on top of the stack; zero-height slots close the outline."""
    tops = [s + c for s, c in zip(supplied, view["curtailed"], strict=True)]
    rows = frame.stepped(view, tops)
    lows = frame.stepped(view, supplied)
    data = [row | {"low": low["v"]} for row, low in zip(rows, lows, strict=True)]
    return {
        "data": {"values": data},
        "mark": {
            "type": "area",
            "interpolate": "step-after",
            "color": frame.ORANGE,
            "fillOpacity": 0.18,
            "line": {"color": frame.ORANGE, "strokeDash": [3, 3], "strokeWidth": 1},
        },
        "encoding": {"x": frame.x(), "y": {"field": "v", "type": "quantitative"}, "y2": {"field": "low"}},
    }


def _names(view: dict[str, Any], words: Words, whole: float) -> dict[str, Any]:
    """Each thick layer carries its name where it is thickest, so that colour is not the only key."""
    marks = frame.at(view)
    rows = []
    for group, palette, sign in (("supply", SUPPLY, 1), ("demand", DEMAND, -1)):
        for order, key in enumerate(palette):
            values = view[group].get(key)
            if values is None:
                continue
            inner = range(len(values) // 25, max(1, len(values) - len(values) // 25))
            peak = max(inner, key=lambda k, values=values: min(values[max(0, k - 3) : k + 4]))  # type: ignore[misc]
            if min(values[max(0, peak - 3) : peak + 4]) < _NAMED_FROM * whole:
                continue
            below = sum((view[group].get(k) or [0.0] * len(values))[peak] for k in list(palette)[:order])
            middle = sign * (below + values[peak] / 2)
            rows.append({"t": marks[peak], "v": round(middle, 4), "n": words.t(f"{group}.{key}"), "k": key})
    dark = ["it", "import", "battery", "generator", "charge"]
    return {
        "data": {"values": rows},
        "mark": {"type": "text", "fontSize": 11, "fontWeight": "bold"},
        "encoding": {
            "x": frame.x(),
            "y": {"field": "v", "type": "quantitative"},
            "text": {"field": "n"},
            "color": {"condition": {"test": {"field": "k", "oneOf": dark}, "value": "white"}, "value": "black"},
        },
    }


def _total(group: dict[str, list[float] | None]) -> list[float]:
    known = [values for values in group.values() if values is not None]
    return [sum(parts) for parts in zip(*known, strict=True)]
