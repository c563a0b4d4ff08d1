"""What all charts share: palette, sizes, the time axis with our own labels, the now line and the cursor."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from api.pages.clock import borders, labels, ticks
from api.pages.view import horizon_of
from api.pages.words import Words

WIDTH = 1100
LEFT = 132  # room of every left axis, so that all time axes of the page stand in line
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# Faces of equal widths on every system. The renderer carries the first in memory; any other it maps from disk again
# for each text that it measures, which took nine tenths of the drawing of a day with 100 jobs.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

# Okabe and Ito's colours (Color Universal Design, 2008), which stay apart for colour-blind eyes
BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, RED, PINK, GREY, DARK = "#E69F00", "#D55E00", "#CC79A7", "#9AA0A6", "#5F6368"
INK, FAINT = "#333333", "#DDDDDD"


def zone_of(view: dict[str, Any]) -> ZoneInfo:
    """Zone of the site."""
    return ZoneInfo(view["timezone"])


def config(words: Words) -> dict[str, Any]:
    """Calm looks: no frame, thin grid, one font; aria texts come from the page, not from each mark."""
    return {
        "background": None,
        "font": FONT,
        "aria": False,
        "view": {"stroke": None},
        "mark": {"aria": False},
        "axis": {
            "labelColor": INK,
            "titleColor": INK,
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "gridColor": FAINT,
            "domainColor": GREY,
            "tickColor": GREY,
        },
        "legend": {
            "orient": "top",
            "title": None,
            "labelColor": INK,
            "titleColor": INK,
            "labelFontSize": 11,
            "symbolType": "square",
            "symbolStrokeWidth": 0,
            "columnPadding": 24,  # a wider face, where none of ours is installed, still keeps entries apart
            "labelLimit": 260,
            "layout": {"margin": 24},
        },
        "locale": {"number": words.vega_locale()},
    }


def at(view: dict[str, Any]) -> list[int]:
    """Milliseconds of every slot border, the last one included."""
    horizon = horizon_of(view)
    return [int(horizon.at(k).timestamp() * 1000) for k in range(horizon.slots + 1)]


def x(*, field: str = "t", axis: bool = True) -> dict[str, Any]:
    """Encoding of a time in milliseconds: a UTC scale with labels looked up in our table.

    Span and ticks are signals: written as numbers they would become ``datetime(ms)``, which Vega's
    interpreter (the only way under a strict policy) takes for a year.
    """
    looks: dict[str, Any] | None = None
    if axis:
        looks = {
            "title": None,
            "values": {"expr": "tick_times"},
            "labelExpr": "labels[round((time(datum.value) - first_ms) / step_ms)]",
            "labelOverlap": True,
            "labelAlign": "center",
            "labelFlush": False,
            "gridColor": FAINT,
        }
    return {
        "field": field,
        "type": "temporal",
        "scale": {"type": "utc", "domain": {"expr": "span"}, "nice": False},
        "axis": looks,
    }


def y(field: str, title: str, **more: Any) -> dict[str, Any]:
    """Encoding of an amount with a left axis of the common width."""
    axis = {
        "title": title,
        "titleAngle": 0,
        "titleAlign": "right",
        "titleX": -8,
        "titleY": -9,
        "minExtent": LEFT,
        "maxExtent": LEFT,
        "tickCount": 5,
    } | more.pop("axis", {})
    return {"field": field, "type": "quantitative", "axis": axis, "scale": more.pop("scale", {}), **more}


def colours(names: dict[str, str], **more: Any) -> dict[str, Any]:
    """Encoding of the series ``s`` by name to colour, with a legend in that order."""
    scale = {"domain": list(names), "range": list(names.values())}
    return {"field": "s", "type": "nominal", "scale": scale, "legend": {"columns": 10}, **more}


def when_param(view: dict[str, Any], words: Words) -> list[dict[str, Any]]:
    """The tables that axis labels and tooltips look up, the line of now and the common cursor (0: hidden)."""
    horizon = horizon_of(view)
    marks = borders(horizon, zone_of(view))
    when = [f"{words.day(mark.day)} {mark.time} ({mark.offset})" for mark in marks]
    return [
        {"name": "labels", "value": labels(marks, words.day)},
        {"name": "when", "value": when},
        {"name": "span", "value": [marks[0].at_ms, marks[-1].at_ms]},
        {"name": "tick_times", "value": [marks[index].at_ms for index in ticks(marks)]},
        {"name": "first_ms", "value": marks[0].at_ms},
        {"name": "step_ms", "value": round(horizon.step_h * 3_600_000)},
        {"name": "now", "value": 0},
        {"name": "cursor", "value": 0},
    ]


def when(field: str = "t", named: str = "when_text") -> dict[str, Any]:
    """Transform that gives each row the site time of its slot, as text."""
    return {"calculate": f"when[round((datum.{field} - first_ms) / step_ms)]", "as": named}


def tip(field: str, title: str, digits: int | None = None) -> dict[str, Any]:
    """One line of a tooltip."""
    kind = "nominal" if digits is None else "quantitative"
    return {"field": field, "title": title, "type": kind} | ({} if digits is None else {"format": f",.{digits}f"})


def level(
    view: dict[str, Any], value: float, text: str, colour: str = RED, title: str | None = None
) -> list[dict[str, Any]]:
    """A limit: a dashed line over the whole time, named at its right end."""
    data = {"values": [{"v": value, "n": text, "t": at(view)[-1]}]}
    amount: dict[str, Any] = {"field": "v", "type": "quantitative"} | ({"title": title} if title else {})
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeDash": [6, 4], "color": colour, "strokeWidth": 1.2},
            "encoding": {"y": amount},
        },
        {
            "data": data,
            "mark": {
                "type": "text",
                "align": "right",
                "baseline": "bottom",
                "dx": -4,
                "dy": -2,
                "fontSize": 10.5,
                "color": colour,
            },
            "encoding": {"x": x(), "y": amount, "text": {"field": "n"}},
        },
    ]


def timed(view: dict[str, Any], words: Words, layers: list[dict[str, Any]], height: float) -> dict[str, Any]:
    """A chart over the horizon: its layers, under the line of now and the common cursor."""

    def line(signal: str, looks: dict[str, Any]) -> dict[str, Any]:
        return {
            "data": {"values": [{}]},
            "transform": [
                {"filter": f"{signal} >= span[0] && {signal} <= span[1]"},
                {"calculate": signal, "as": "t"},
            ],
            "mark": {"type": "rule", **looks},
            "encoding": {"x": x()},
        }

    return {
        "$schema": SCHEMA,
        "width": WIDTH,
        "height": height,
        "padding": {"left": 4, "right": 28, "top": 4, "bottom": 4},
        "params": when_param(view, words),
        "layer": [
            *layers,
            line("now", {"color": INK, "strokeWidth": 1.5}),
            line("cursor", {"color": GREY, "strokeWidth": 1}),
        ],
        "config": config(words),
    }


def stepped(view: dict[str, Any], values: list[float], **more: Any) -> list[dict[str, Any]]:
    """Rows of a step line or area: one a slot, and a last one that closes the last slot."""
    marks = at(view)
    rows = [{"t": t, "v": round(v, 4), **more} for t, v in zip(marks, values, strict=False)]
    return [*rows, {"t": marks[-1], "v": rows[-1]["v"], **more}]


def roomy(values: list[float]) -> dict[str, list[float]]:
    """Scale of horizontal bars: zero included, with room for the number at each end that is used."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    span = (high - low) or 1.0
    return {"domain": [low - (0.16 * span if low < 0 else 0.0), high + 0.24 * span]}
