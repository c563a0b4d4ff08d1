"""Rows of jobs under their pools, shared by the Gantt and the heat map of caps."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame

POOL_MARK = "\u25be "


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
    """Encoding of the row ``r``: pools in bold, long names cut."""
    return {
        "field": "r",
        "type": "nominal",
        "scale": {"domain": rows, "paddingInner": 0.18, "paddingOuter": 0.1},
        "axis": {
            "title": title,
            "minExtent": frame.LEFT,
            "maxExtent": frame.LEFT,
            "labelLimit": frame.LEFT - 12,
            "labelFontSize": 10,
            "labelFontWeight": {
                "condition": {"test": f"indexof(datum.value, '{POOL_MARK}') === 0", "value": "bold"},
                "value": "normal",
            },
            "grid": False,
            "ticks": False,
            "domain": False,
        },
    }
