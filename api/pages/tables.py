"""Each chart's table twin: the same numbers as rows, for screen readers, for CSV, for a look without script."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from api.pages.charts.cost import shown_terms
from api.pages.clock import borders
from api.pages.view import horizon_of
from api.pages.words import Words, isolated
from models.horizon import parse_rfc3339

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns as words, rows as values (numbers stay numbers), decimals per column."""

    columns: list[str]
    digits: list[int]
    rows: list[list[Cell]]


def tables(view: dict[str, Any], words: Words) -> dict[str, Table]:
    """Chart name to its table twin."""
    return {name: build(view, words) for name, build in _BUILDERS.items()} | _plant(view, words)


def csv_text(table: Table) -> str:
    """The table as CSV: numbers with a decimal point and all digits, unknown as an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([["" if cell is None else _plain(cell) for cell in row] for row in table.rows])
    return out.getvalue()


def _plain(cell: str | float | int) -> str | float | int:
    """A text that a spreadsheet would run as a formula is quoted away (CSV injection, OWASP)."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _series(view: dict[str, Any], words: Words, columns: list[tuple[str, list[float] | None]], digits: int) -> Table:
    marks = borders(horizon_of(view), ZoneInfo(view["timezone"]))
    known = [(name, values) for name, values in columns if values is not None]
    rows: list[list[Cell]] = [
        [f"{mark.day} {mark.time} ({mark.offset})", *(values[k] for _, values in known)]
        for k, mark in enumerate(marks[:-1])
    ]
    return Table([words.t("column.time"), *(name for name, _ in known)], [0] + [digits] * len(known), rows)


def _supply(view: dict[str, Any], words: Words) -> Table:
    columns = [
        (f"{words.t(f'{group}.{key}')} (MW)", values)
        for group in ("supply", "demand")
        for key, values in view[group].items()
    ]
    return _series(view, words, [*columns, (f"{words.t('supply.curtailed')} (MW)", view["curtailed"])], 3)


def _renewables(view: dict[str, Any], words: Words) -> Table:
    columns: list[tuple[str, list[float] | None]] = []
    for key in ("pv", "wind"):
        if view["available"][key] is None:
            continue
        name = words.t(f"supply.{key}")
        band = view["bands"][key] or {}
        fan = ("p05", "p10", "p50", "p90", "p95") if "p05" in band else ("p10", "p50", "p90")
        columns += [(f"{name} {q.upper().replace('P0', 'P')} (MW)", band.get(q)) for q in fan]
        columns.append((f"{name}, {words.t('column.available_mw')}", view["available"][key]))
        columns.append((f"{name}, {words.t('column.used_mw')}", view["supply"][key]))
    return _series(view, words, columns, 3)


def _battery(view: dict[str, Any], words: Words) -> Table:
    columns = [(f"{battery['name']} (MWh)", battery["soc_mwh"]) for battery in view["batteries"]]
    return _series(view, words, columns, 3)


def _temperatures(view: dict[str, Any], words: Words) -> Table:
    columns = [(f"{words.named('temperature', key)} (°C)", values) for key, values in view["temperatures"].items()]
    columns += [(f"{words.t('temperature.mass', name=mass['name'])} (°C)", mass["c"]) for mass in view["masses"]]
    return _series(view, words, columns, 1)


def _plant(view: dict[str, Any], words: Words) -> dict[str, Table]:
    """Twins of the charts that only some sites have."""
    told, found = view["plant"], {}
    for name, unit, digits in (("generators", "MW", 3), ("nodes", "", 0), ("units", "MW", 3)):
        if told[name]:
            mark = f" ({unit})" if unit else ""
            found[name] = _series(view, words, [(f"{asset}{mark}", row) for asset, row in told[name].items()], digits)
    if told["tank"] is not None:
        columns = [(f"{words.t('chart.tank')} (MWh)", told["tank"]["stored_mwh"][1:])]
        found["tank"] = _series(view, words, columns, 3)
    return found


def _price(view: dict[str, Any], words: Words) -> Table:
    unit = f"({view['currency']}/MWh)"
    columns = [(f"{words.t(f'price.{key}')} {unit}", values) for key, values in view["price"].items()]
    return _series(view, words, [*columns, (words.t("column.carbon"), view["carbon"])], 2)


def _gantt(view: dict[str, Any], words: Words) -> Table:
    zone = ZoneInfo(view["timezone"])

    def when(text: str | None) -> str | None:
        return None if text is None else parse_rfc3339(text).astimezone(zone).strftime("%Y-%m-%d %H:%M")

    names = (
        "job",
        "pool",
        "gpus",
        "priority",
        "workload",
        "start",
        "end",
        "deadline",
        "slack_h",
        "sessions",
        "work_h",
        "done_h",
        "late_h",
        "unmet_h",
        "energy_mwh",
        "standing",
        "place",
        "source",
    )
    digits = [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 2, 2, 2, 3, 0, 0, 0]
    rows: list[list[Cell]] = [
        [
            job["id"],
            ", ".join(filter(None, job["pools"])) or None,
            job["gpus"] * job["count"],
            words.t(f"priority.{job['priority'] or 'unknown'}"),
            words.named("workload", job["workload"]) if job["workload"] else None,
            when(job["start"]),
            when(job["end"]),
            when(job["deadline"]),
            job["slack_h"],
            job["sessions"],
            job["work_h"],
            job["done_h"],
            job["late_h"],
            job["unmet_h"],
            job["energy_mwh"],
            words.t(f"standing.{job['standing']}"),
            " ".join(place_sentence(note, words, view["currency"]) for note in job["places"]) or None,
            words.t("synthetic") if job["synthetic"] else words.t("received"),
        ]
        for job in view["jobs"]
    ]
    return Table([words.t(f"column.{name}") for name in names], digits, rows)


def place_sentence(note: dict[str, Any], words: Words, currency: str) -> str:
    """Where the plan has a job that could choose, and why (:mod:`api.pages.view_places`)."""
    shown: dict[str, str] = {}
    for name, value in note.items():
        if name == "money":
            shown[name] = words.quantity(value, currency, 0)
        elif name == "gpu_h":
            shown[name] = words.quantity(value, "GPU h", 1)
        elif name == "hours":
            shown[name] = words.quantity(value, "h", 2)
        elif name == "gangs":
            shown[name] = isolated(", ".join(words.number(gang, 0) for gang in value))
        elif name != "key":
            shown[name] = isolated(value if isinstance(value, str) else words.number(value, 0))
    return words.t(f"place.{note['key']}", **shown)


def _caps(view: dict[str, Any], words: Words) -> Table:
    zone = ZoneInfo(view["timezone"])
    names = ("job", "pool", "start", "end", "cap_w", "power_mw", "speed")
    rows: list[list[Cell]] = [
        [
            job["id"],
            run["pool"],
            parse_rfc3339(run["start"]).astimezone(zone).strftime("%Y-%m-%d %H:%M"),
            parse_rfc3339(run["end"]).astimezone(zone).strftime("%Y-%m-%d %H:%M"),
            run["limit_w"],
            run["power_mw"],
            run["speed"],
        ]
        for job in view["jobs"]
        for run in job["runs"]
    ]
    return Table([words.t(f"column.{name}") for name in names], [0, 0, 0, 0, 0, 3, 3], rows)


def _cost(view: dict[str, Any], words: Words) -> Table:
    sides = [("plan", view["terms"]), ("fcfs", view["baseline_terms"])]
    known = [(key, side) for key, side in sides if side is not None]
    rows: list[list[Cell]] = [
        [words.named("term", term), *(side.get(term, 0.0) for _, side in known)] for term in shown_terms(view)
    ]
    rows.append([words.t("term.sum"), *(sum(side.values()) for _, side in known)])
    names = [f"{words.t(f'side.{key}')} ({view['currency']})" for key, _ in known]
    return Table([words.t("column.term"), *names], [0] + [2] * len(known), rows)


def _saving(view: dict[str, Any], words: Words) -> Table:
    saving = view["saving"]
    money = f"({view['currency']})"
    columns = [
        f"{words.t('side.fcfs')} {money}",
        f"{words.t('side.plan')} {money}",
        f"{words.t('saving.saved')} {money}",
        f"{words.t('saving.saved')} (%)",
    ]
    if saving is None:
        return Table(columns, [2, 2, 2, 2], [])
    ratio = saving["saving_ratio"]
    row: list[Cell] = [
        saving["baseline_cost"],
        saving["cost"],
        saving["saving"],
        None if ratio is None else 100 * ratio,
    ]
    return Table(columns, [2, 2, 2, 2], [row])


_BUILDERS: dict[str, Callable[[dict[str, Any], Words], Table]] = {
    "supply": _supply,
    "renewables": _renewables,
    "gantt": _gantt,
    "battery": _battery,
    "caps": _caps,
    "temperatures": _temperatures,
    "price": _price,
    "cost": _cost,
    "saving": _saving,
}
