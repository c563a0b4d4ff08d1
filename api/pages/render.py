"""Draw a plan's charts once, when it is published: heavy, for the planner process only.

Plans never change, so the drawings are kept with them; the web process serves text.
"""

from __future__ import annotations

import re
from typing import Any

import vl_convert

from api.pages.charts import frame, specs
from api.pages.view import plan_view
from api.pages.words import LANGUAGES

_TAG = re.compile(r"<[^>]*>")
_PLACE = re.compile(r' (?:d|transform|[xy][12]?|width|height)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_FACE = f' font-family="{frame.FONT}"'


def charts(edition: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Chart name to its specification and its SVG, each by language.

    Drawn before publishing, so ``plan_id``, ``plan_version`` and ``created_at`` may be missing yet. A chart
    reaches for nothing outside itself: no base URL is allowed to the renderer.
    """
    named_at_publishing = {"plan_id": "", "plan_version": {"epoch": 0, "seq": 0}, "created_at": edition["valid_from"]}
    view = plan_view(named_at_publishing | edition)
    drawn: dict[str, dict[str, dict[str, Any]]] = {}
    for language in LANGUAGES:
        for name, spec in specs(view, language).items():
            kept = drawn.setdefault(name, {"spec": {}, "svg": {}})
            kept["spec"][language] = spec
            kept["svg"][language] = slim(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    return drawn


def slim(svg: str) -> str:
    """The same drawing in fewer bytes: places to a hundredth of a pixel, the common font said once at the root.

    Only tags change: no text can hold a ``<``, so what tenants wrote stays as it is.
    """
    slimmer = _TAG.sub(lambda tag: _PLACE.sub(_rounded, tag[0].replace(_FACE, "")), svg)
    return slimmer.replace("<svg ", f"<svg{_FACE} ", 1)


def _rounded(attribute: re.Match[str]) -> str:
    return _LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), attribute[0])
