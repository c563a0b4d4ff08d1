"""How the time grows with the number of jobs: a straight line in log-log, and its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vl_convert

from api.pages.charts import frame
from api.pages.render import slim

Points = list[tuple[int, float]]
Read = Callable[[Sequence[Sequence[float | None]]], float | None]


@dataclass(frozen=True)
class Line:
    """seconds = factor * jobs ** exponent."""

    factor: float
    exponent: float

    def at(self, jobs: float) -> float:
        """Seconds at a number of jobs."""
        return float(self.factor * jobs**self.exponent)


def fit(points: Points) -> Line | None:
    """Least squares in log-log; None where the points are of fewer than two sizes."""
    if len({jobs for jobs, _ in points}) < 2:
        return None
    jobs, seconds = np.log(np.array(points, dtype=float)).T
    exponent, log_factor = np.polyfit(jobs, seconds, 1)
    return Line(float(np.exp(log_factor)), float(exponent))


def growth_points(results: Iterable[Mapping[str, Any]], series: Mapping[str, Read]) -> dict[str, Points]:
    """(jobs, seconds) of every run of a GPU site that reached what a series asks, by series."""
    sites = [r for r in results if r.get("jobs") is not None and "trace" in r]
    return {
        name: [(r["jobs"], s) for r in sites if (s := read(r["trace"])) is not None] for name, read in series.items()
    }


def chart(series: Mapping[str, Points]) -> dict[str, Any]:
    """Vega-Lite specification: a point a run, a line a fit, both axes logarithmic."""
    runs: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for what, points in series.items():
        line = fit(points)
        name = what if line is None else f"{what} (seconds ~ jobs^{line.exponent:.2f})"
        runs += [{"what": name, "jobs": n, "seconds": s} for n, s in points]
        if line is not None:
            ends = (min(points)[0], max(points)[0])
            lines += [{"what": name, "jobs": n, "seconds": line.at(n)} for n in ends]
    sizes = sorted({run["jobs"] for run in runs})
    x = {"field": "jobs", "type": "quantitative", "title": "jobs", "scale": {"type": "log"}}
    y = {"field": "seconds", "type": "quantitative", "title": "seconds, one core", "scale": {"type": "log"}}
    colour = {
        "field": "what",
        "type": "nominal",
        "title": None,
        "scale": {
            "domain": sorted({run["what"] for run in runs}),
            "range": [frame.BLUE, frame.RED, frame.GREEN, frame.ORANGE],
        },
        "legend": {"orient": "top", "labelLimit": 400},
    }
    return {
        "$schema": frame.SCHEMA,
        "description": "Seconds against number of jobs, both logarithmic: one point a run, one line a fit.",
        "width": 560,
        "height": 320,
        "background": "white",
        "config": {
            "font": frame.FONT,
            "view": {"stroke": None},
            "axis": {"gridColor": frame.FAINT, "titleFontWeight": "normal"},
        },
        "encoding": {
            "x": {**x, "axis": {"values": sizes, "format": ","}},
            "y": {**y, "axis": {"format": "~r", "tickCount": 4}},
            "color": colour,
        },
        "layer": [
            {"data": {"values": lines}, "mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.6}},
            {"data": {"values": runs}, "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1}},
        ],
    }


def draw(spec: dict[str, Any]) -> str:
    """The chart as SVG."""
    return slim(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
