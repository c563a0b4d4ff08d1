"""Power caps as a heat map: jobs by pool against time, watts per GPU."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.charts.rows import job_rows, row_axis
from api.pages.words import Words

_ROW = 13


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """A cell for each run at its cap; written into it where there is room. White: the job does not run."""
    jobs = [job for job in view["jobs"] if any(run["limit_w"] is not None for run in job["runs"])]
    if not jobs:
        return None
    rows = job_rows(jobs)
    first, last = frame.at(view)[0], frame.at(view)[-1]
    cells = [
        {
            "r": job["id"],
            "t": run["start_ms"],
            "e": run["end_ms"],
            "mid": (run["start_ms"] + run["end_ms"]) // 2,
            "w": run["limit_w"],
            "l": words.number(run["limit_w"], 0),
            "v": run["speed"],
        }
        for job in jobs
        for run in job["runs"]
        if run["limit_w"] is not None
    ]
    caps = [cell["w"] for cell in cells]
    low, high = min(caps), max(caps)
    middle = (low + high) / 2
    across = row_axis(rows)
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": cells},
            "transform": [frame.when(), frame.when("e", "end_text")],
            "mark": {"type": "rect", "tooltip": True, "stroke": frame.GREY, "strokeWidth": 0.5},
            "encoding": {
                "x": frame.x(),
                "x2": {"field": "e"},
                "y": across,
                "color": {
                    "field": "w",
                    "type": "quantitative",
                    "scale": {"scheme": "cividis", "domain": [low, high if high > low else low + 1]},
                    "legend": {
                        "title": words.t("axis.cap_w"),
                        "titleFontWeight": "normal",
                        "gradientLength": 220,
                        "titleOrient": "left",
                    },
                },
                "tooltip": [
                    frame.tip("r", words.t("column.job")),
                    frame.tip("when_text", words.t("column.start")),
                    frame.tip("end_text", words.t("column.end")),
                    frame.tip("w", words.t("column.cap_w"), 0),
                    frame.tip("v", words.t("column.speed"), 3),
                ],
            },
        },
        {
            "data": {"values": [cell for cell in cells if cell["e"] - cell["t"] > 0.022 * (last - first)]},
            "mark": {"type": "text", "fontSize": 9},
            "encoding": {
                "x": frame.x(field="mid"),
                "y": across,
                "text": {"field": "l"},
                "color": {"condition": {"test": f"datum.w < {middle}", "value": "white"}, "value": "black"},
            },
        },
    ]
    return frame.timed(view, words, layers, _ROW * len(rows))
