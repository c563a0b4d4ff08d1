"""Rows of jobs under their pools, shared by the Gantt and the heat map of caps."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame

POOL_MARK = "\u25bc "
_HEAD, _TAIL = 9, 13  # characters kept of a name too long for its room


def job_rows(jobs: list[dict[str, Any]]) -> list[str]:
    """Names of the rows from top to bottom: a heading for each pool, then its jobs."""
    rows: list[str] = []
    pool: Any = ""
    for job in jobs:
        if job["pool"] != pool:
            pool = job["pool"]
            rows.append(heading(pool))
        rows.append(job["id"])
    return rows


def heading(pool: str | None) -> str:
    """Row name of a pool; jobs' names cannot begin like it."""
    return POOL_MARK + (pool or "\u2014")


def row_axis(rows: list[str], title: str | None = None) -> dict[str, Any]:
    """Encoding of the row ``r``: pools in bold; long names lose their middle, as their ends tell jobs apart.

    Cutting by characters spares the renderer the search for the length that fits; the limit in pixels is left
    for unusually wide letters only.
    """
    cut = f"slice(datum.label, 0, {_HEAD}) + '\u2026' + slice(datum.label, -{_TAIL})"
    return {
        "field": "r",
        "type": "nominal",
        "scale": {"domain": rows, "paddingInner": 0.18, "paddingOuter": 0.1},
        "axis": {
            "title": title,
            "minExtent": frame.LEFT,
            "maxExtent": frame.LEFT,
            "labelExpr": f"length(datum.label) > {_HEAD + 1 + _TAIL} ? {cut} : datum.label",
            "labelLimit": frame.LEFT,
            "labelFontSize": 9.5,
            "labelFontWeight": {
                "condition": {"test": f"indexof(datum.value, '{POOL_MARK}') === 0", "value": "bold"},
                "value": "normal",
            },
            "grid": False,
            "ticks": False,
            "domain": False,
        },
    }
