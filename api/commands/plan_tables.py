"""An edition as tables for a terminal: the hours, the jobs, the money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.following import horizon_of
from api.placed import partners_of, place_of
from api.plan_store import Edition
from models.horizon import Horizon, parse_rfc3339
from models.site import Site

_MOST_GAP_SAID = 0.5
_FILE_WIDTH = 140  # a file or a pipe has no edge to wrap at


def show(edition: Edition, site: Site, console: Console | None = None) -> None:
    """Print an edition."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    plan, horizon, zone = edition["plan"], horizon_of(edition), site.zone
    head = (
        f"{site.title or site.name}: {_day(horizon.start, zone)} to {_day(horizon.end, zone)}, "
        f"{horizon.slots} slots of {horizon.step // timedelta(minutes=1)} min ({site.timezone})"
    )
    console.print(Text(head, style="bold"))
    if any(row["synthetic"] for row in edition["sources"]) or any(
        label["synthetic"] for label in edition["job_labels"].values()
    ):
        console.print(Text("synthetic: made-up weather, prices or jobs; assumed where their source says so"))
    if plan["status"] == "infeasible":
        console.print(Text("no plan is possible:", style="bold"))
        for sentence in plan["conflicts"]:
            console.print(Text(f"  {sentence}"))
        return
    console.print(_hours(edition, horizon, zone))
    console.print(_jobs(edition, zone))
    console.print(_money(edition, site.currency))
    for line in _verdict(edition, site.currency):
        console.print(Text(line))


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %d %b %H:%M}"


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    """Weekday and time: a plan of a few days needs no date in every cell."""
    return f"{moment.astimezone(zone):%a %H:%M}"


def _range(caps: Sequence[float]) -> str:
    """Lowest and highest cap in whole watts; one number where they are the same."""
    shown = dict.fromkeys(f"{cap:.0f}" for cap in (min(caps, default=0.0), max(caps, default=0.0)))
    return "–".join(shown) if caps else ""


def _span(first: datetime, last: datetime, zone: ZoneInfo) -> str:
    same = first.astimezone(zone).date() == last.astimezone(zone).date()
    return (
        f"{_clock(first, zone)}–{last.astimezone(zone):%H:%M}"
        if same
        else f"{_clock(first, zone)}–{_clock(last, zone)}"
    )


def _hours(edition: Edition, horizon: Horizon, zone: ZoneInfo) -> Table:
    """One row an hour: means of power, last state of charge, mean price and temperature."""
    series, given = edition["plan"]["series"], edition["problem"]["series"]
    temperatures = edition["temperatures"]
    slots = horizon.slots
    columns: list[tuple[str, Sequence[float] | None, int]] = [
        ("PV MW", series["pv_used_mw"], 2),
        ("wind MW", series["wind_used_mw"], 2),
        ("import MW", series["import_mw"], 2),
        ("export MW", series["export_mw"], 2),
        ("battery MW", _battery(series, slots), 2),
        ("IT MW", series["it_mw"], 2),
        ("cooling MW", series["cooling_mw"], 2),
        ("base MW", series["base_load_mw"], 2),
        ("SoC MWh", _sum(series["soc_mwh"], slots), 1),
        (f"price/MWh {edition['problem']['site']['currency']}", given.get("import_price_per_mwh"), 0),
        ("outside °C", temperatures.get("dry_bulb_c"), 1),
        ("hall °C", temperatures.get("hall_air_c"), 1),
    ]
    shown = [column for column in columns if column[1] is not None and any(abs(v) > 1e-9 for v in column[1])]
    digits = 2 if max(series["it_mw"], default=0.0) >= 1 else 4
    table = Table(title="Hours (means; battery positive when discharging; SoC at the end)")
    table.add_column("from", no_wrap=True)
    for name, _, _ in shown:
        table.add_column(name, justify="right")
    first = 0
    while first < slots:
        clock = horizon.at(first).astimezone(zone)
        last = first + 1
        while last < slots and horizon.at(last).astimezone(zone).hour == clock.hour:
            last += 1
        row = [_clock(horizon.at(first), zone)]
        for name, values, places in shown:
            assert values is not None
            part = values[first:last]
            value = part[-1] if name.startswith("SoC") else sum(part) / len(part)
            row.append(f"{value:,.{max(places, digits) if 'MW' in name and 'price' not in name else places}f}")
        table.add_row(*row)
        first = last
    return table


def _battery(series: dict[str, Any], slots: int) -> list[float] | None:
    out, into = _sum(series["discharge_mw"], slots), _sum(series["charge_mw"], slots)
    return None if out is None or into is None else [a - b for a, b in zip(out, into, strict=True)]


def _sum(by_name: dict[str, list[float]], slots: int) -> list[float] | None:
    return [sum(values[k] for values in by_name.values()) for k in range(slots)] if by_name else None


def _jobs(edition: Edition, zone: ZoneInfo) -> Table:
    table = Table(title="Jobs")
    for name in ("job", "pool", "GPUs", "window", "runs", "cap W", "work h", "late h", "unmet h"):
        right = name in ("GPUs", "cap W", "work h", "late h", "unmet h")
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name in ("window", "runs"), overflow="fold"
        )
    plans = {job["id"]: job for job in edition["plan"]["jobs"]}
    rented = partners_of(edition["problem"])
    for job in edition["problem"]["jobs"]:
        planned = plans.get(job["id"])
        runs = planned["runs"] if planned else []
        release, deadline = parse_rfc3339(job["release"]), job["deadline"]
        window = _span(release, parse_rfc3339(deadline), zone) if deadline else f"{_clock(release, zone)}–"
        caps = [run["limit_w"] for run in runs if run["limit_w"] is not None]
        taken = [place_of(job, run) for run in runs] or [place_of(job, {})]
        pools = list(dict.fromkeys(pool for pool, _ in taken if pool))
        gangs = list(dict.fromkeys(f"{gpus * job.get('count', 1):,}" for _, gpus in taken))
        table.add_row(
            Text(job["id"]),
            Text(", ".join(f"{name} (rented)" if name in rented else name for name in pools)),
            ", ".join(gangs),
            window,
            _sessions(runs, zone) or "does not run",
            _range(caps),
            f"{planned['work_done_h']:.2f}" if planned else "",
            f"{planned['late_h']:.2f}" if planned and planned["late_h"] > 1e-6 else "",
            f"{planned['unmet_h']:.2f}" if planned and planned["unmet_h"] > 1e-6 else "",
        )
    return table


def _sessions(runs: list[dict[str, Any]], zone: ZoneInfo) -> str:
    """Touching runs as one."""
    spans: list[list[datetime]] = []
    for run in sorted(runs, key=lambda run: parse_rfc3339(run["start"])):
        begin, end = parse_rfc3339(run["start"]), parse_rfc3339(run["end"])
        if spans and spans[-1][1] == begin:
            spans[-1][1] = end
        else:
            spans.append([begin, end])
    return "\n".join(_span(first, last, zone) for first, last in spans)


def _money(edition: Edition, currency: str) -> Table:
    table = Table(title="Cost by term")
    table.add_column("term")
    table.add_column(currency, justify="right")
    for name, value in edition["plan"]["terms"].items():
        if abs(value) > 1e-9:
            table.add_row(name, f"{value:,.2f}")
    table.add_row("together", f"{edition['plan']['objective']:,.2f}", style="bold")
    return table


def _scenarios(told: dict[str, Any] | None, currency: str) -> list[str]:
    if told is None:
        return []
    if told["reason"] is not None:
        return [f"scenarios: not weighed, {told['reason']}"]
    return [
        f"scenarios: {told['expected_cost']:,.2f} {currency} on average over {told['courses']} courses "
        f"({told['least_cost']:,.2f} to {told['most_cost']:,.2f}), short of power in {told['short_probability']:.0%}; "
        f"starts of {told['chosen']!r}, of {len(told['weighed'])} weighed; {told['origin']}"
    ]


def _verdict(edition: Edition, currency: str) -> list[str]:
    plan, saving = edition["plan"], edition["saving"]
    gap = plan["gap"]
    known = gap is not None and gap <= _MOST_GAP_SAID
    lines = [
        f"plan: {plan['rung']}, {plan['status']}, "
        + (f"proven gap {gap:.2%}" if known else "gap not known yet")
        + f", {plan['solve_seconds']:.1f} s"
    ]
    if saving is None:
        lines.append(f"saving: not known, {edition['baseline_note']}")
    else:
        lines.append(
            f"saving: {saving['saving']:,.2f} {currency} ({saving['saving_ratio']:.1%}) against first come, first "
            f"served at {saving['baseline_cost']:,.2f} {currency}"
        )
    steady = edition.get("steadiness") or {}
    if steady.get("set_point_changes_per_hour") is not None:
        moved = steady.get("moved_starts")
        told = "" if moved is None else f", {moved:.0f} starts moved against the plan before"
        lines.append(f"set-points: {steady['set_point_changes_per_hour']:.2f} changes an hour{told}")
    lines += _scenarios(edition.get("scenarios"), currency)
    lines += [f"unmet: {row['sentence']}" for row in plan["unmet"]]
    lines += [f"set aside: {row['id']}: {row['reason']}" for row in edition["set_aside"]]
    return lines
