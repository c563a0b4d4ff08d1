"""A kept SVG made ready for one page: its ids its own, the line of now in its place."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from api.pages.charts.plant import PLANT
from models.horizon import parse_rfc3339

TIMED = ("supply", "renewables", "gantt", "battery", "caps", "temperatures", "price")
_ORIGIN = re.compile(r'<g fill="none"[^>]*transform="translate\((-?[\d.]+),(-?[\d.]+)\)"')
_IDS = re.compile(r'(\bid="|url\(#|href="#)')


def inline(name: str, svg: str, spec: dict[str, Any], view: dict[str, Any], now_ms: int) -> Markup:
    """The drawing of chart ``name`` as it goes into a page; made by us, so it needs no escaping."""
    svg = _IDS.sub(rf"\g<1>{name}-", svg)
    if name in (*TIMED, *PLANT):
        svg = svg.replace("</svg>", _now_line(svg, spec, view, now_ms) + "</svg>")
    return Markup(svg)  # noqa: S704  drawn by vl-convert, which escapes the texts of a specification


def _now_line(svg: str, spec: dict[str, Any], view: dict[str, Any], now_ms: int) -> str:
    start, end = (int(parse_rfc3339(view["horizon"][key]).timestamp() * 1000) for key in ("start", "end"))
    origin = _ORIGIN.search(svg)
    if origin is None or not start <= now_ms <= end:
        return ""
    x = float(origin[1]) + spec["width"] * (now_ms - start) / (end - start)
    y = float(origin[2])
    return f'<line class="now-line" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{y + spec["height"]:.1f}"/>'
