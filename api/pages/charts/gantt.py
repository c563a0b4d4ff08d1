"""When each job runs, by pool: colour is priority, the edge says whether its deadline is safe."""

from __future__ import annotations

from typing import Any

from api.pages.charts import frame
from api.pages.charts.rows import job_rows, row_axis
from api.pages.words import Words
from models.horizon import parse_rfc3339

PRIORITIES = {"high": frame.BLUE, "normal": frame.SKY, "low": "#C9CDD2", "unknown": "#E8E8E8"}
EDGES = {"on_time": frame.DARK, "risk": frame.ORANGE, "late": frame.RED, "unmet": frame.RED}
_ROW = 15


def spec(view: dict[str, Any], words: Words) -> dict[str, Any] | None:
    """One row a job; a thin line is its window from release to deadline, a bar each run."""
    jobs = view["jobs"]
    if not jobs:
        return None
    rows = job_rows(jobs)
    first, last = frame.at(view)[0], frame.at(view)[-1]
    windows, bars, notes = [], [], []
    for job in jobs:
        release = max(first, _ms(job["release"]))
        deadline = min(last, _ms(job["deadline"])) if job["deadline"] else last
        bounded = bool(job["deadline"]) and _ms(job["deadline"]) <= last
        if deadline > release:
            windows.append({"r": job["id"], "t": release, "e": deadline, "d": deadline if bounded else None})
        bars += [_bar(job, run, words) for run in job["runs"]]
        if job["standing"] != "on_time":
            begin = job["runs"][-1]["end_ms"] if job["runs"] else release
            near_end = begin > first + 0.86 * (last - first)
            notes.append(
                {
                    "r": job["id"],
                    "t": job["runs"][0]["start_ms"] if near_end and job["runs"] else begin,
                    "n": words.t(f"standing.{job['standing']}"),
                    "s": job["standing"],
                    "left": near_end,
                }
            )
    names = {
        words.t(f"priority.{key}"): colour
        for key, colour in PRIORITIES.items()
        if any(b["p"] == words.t(f"priority.{key}") for b in bars)
    }
    height = _ROW * len(rows)
    across = row_axis(rows)
    edges = {words.t(f"standing.{key}"): colour for key, colour in EDGES.items()}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": windows},
            "mark": {"type": "rule", "color": frame.GREY, "opacity": 0.6, "strokeWidth": 1},
            "encoding": {"x": frame.x(), "x2": {"field": "e"}, "y": across},
        },
        {
            "data": {"values": [w for w in windows if w["d"] is not None]},
            "mark": {"type": "tick", "color": frame.DARK, "thickness": 1.5, "size": 11, "orient": "vertical"},
            "encoding": {"x": frame.x(field="d"), "y": across},
        },
        {
            "data": {"values": bars},
            "transform": [frame.when(), frame.when("e", "end_text")],
            "mark": {"type": "rect", "tooltip": True, "cornerRadius": 1.5},
            "encoding": {
                "x": frame.x(),
                "x2": {"field": "e"},
                "y": across,
                "color": frame.colours(names, field="p"),
                "stroke": {
                    "field": "w",
                    "type": "nominal",
                    "scale": {"domain": list(edges), "range": list(edges.values())},
                    "legend": {"symbolFillColor": "transparent", "symbolStrokeWidth": 2.2, "columns": 10},
                },
                "strokeWidth": {
                    "condition": {"test": f"datum.w === {words.t('standing.on_time')!r}", "value": 0.6},
                    "value": 2.2,
                },
                "tooltip": [
                    frame.tip("r", words.t("column.job")),
                    frame.tip("when_text", words.t("column.start")),
                    frame.tip("end_text", words.t("column.end")),
                    frame.tip("g", words.t("column.gpus"), 0),
                    frame.tip("m", "MW", 3),
                    frame.tip("c", words.t("column.cap_w")),
                    frame.tip("p", words.t("column.priority")),
                    frame.tip("w", words.t("column.standing")),
                ],
            },
        },
        {
            "data": {"values": [bar for bar in bars if bar["e"] - bar["t"] > 0.035 * (last - first)]},
            "mark": {"type": "text", "fontSize": 9},
            "encoding": {
                "x": frame.x(field="mid"),
                "y": across,
                "text": {"field": "l"},
                "color": {
                    "condition": {"test": f"datum.p === {words.t('priority.high')!r}", "value": "white"},
                    "value": "black",
                },
            },
        },
    ]
    for left in (False, True):
        layers.append(
            {
                "data": {"values": [note for note in notes if note["left"] == left]},
                "mark": {
                    "type": "text",
                    "align": "right" if left else "left",
                    "dx": -5 if left else 5,
                    "fontSize": 10,
                    "fontWeight": "bold",
                    "color": frame.INK,
                },
                "encoding": {"x": frame.x(), "y": across, "text": {"field": "n"}},
            }
        )
    return frame.timed(view, words, layers, height)


def _bar(job: dict[str, Any], run: dict[str, Any], words: Words) -> dict[str, Any]:
    standing = job["standing"] if job["standing"] in EDGES else "on_time"
    return {
        "r": job["id"],
        "t": run["start_ms"],
        "e": run["end_ms"],
        "mid": (run["start_ms"] + run["end_ms"]) // 2,
        "g": run["gpus"] * run["count"],
        "m": run["power_mw"],
        "l": words.n("gpus", run["gpus"] * run["count"]),
        "c": words.quantity(run["limit_w"], "W", 0),
        "p": words.t(f"priority.{job['priority'] or 'unknown'}"),
        "w": words.t(f"standing.{standing}"),
    }


def _ms(text: str) -> int:
    return int(parse_rfc3339(text).timestamp() * 1000)
