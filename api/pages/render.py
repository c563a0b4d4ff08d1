"""Draw a plan's charts once, when it is published: heavy, for the planner process only.

Plans never change, so the drawings are kept with them; the web process serves text.
"""

from __future__ import annotations

from typing import Any

import vl_convert

from api.pages.charts import specs
from api.pages.view import plan_view
from api.pages.words import LANGUAGES


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
            kept["svg"][language] = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return drawn
