"""A power budget that changes with the plan, as reservations of licences only.

Jobs carry ``-L kw:N``. In each slot, what the plan does not grant is reserved away; Slurm itself then starts no more
than that, and its backfill looks ahead through the coming windows. A job whose latest start has come has its licences
in the budget whatever the plan says. Windows are written a few hours ahead only: without us they soon lapse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from api.slurm.order import Order
from api.slurm.view import PlanView
from ingest.sources.slurm.shape import SlurmJob
from models.job_policy import Judged
from models.job_sources import PowerBudget

_PREFIX = "chergui_"
_FIELD = re.compile(r"(\w+)=(\S*)")


@dataclass(frozen=True, slots=True)
class Window:
    """``amount`` licences are reserved away in [start, end)."""

    name: str
    start: datetime
    end: datetime
    licence: str
    amount: int


@dataclass(frozen=True, slots=True)
class Licences:
    """Of the budget's licence: how many there are, and our reservations as Slurm holds them."""

    total: int
    held: tuple[Window, ...] = ()


def windows(
    judged: Iterable[Judged],
    jobs: Mapping[str, SlurmJob],
    plan: PlanView,
    total: int,
    budget: PowerBudget,
    now: datetime,
) -> list[Window]:
    """Windows from now on, one a slot in which anything is reserved away."""
    told = [(one, jobs[one.facts.id], jobs[one.facts.id].licences.get(budget.licence, 0)) for one in judged]
    carriers = [(one, job, each) for one, job, each in told if each > 0]
    horizon, found = plan.horizon, []
    for k in range(horizon.slots):
        start, end = horizon.at(k), horizon.at(k + 1)
        if end <= now or (start - now).total_seconds() > budget.lookahead_h * 3600:
            continue
        granted = sum(_granted(one, job, each, plan, (start, end), now) for one, job, each in carriers)
        amount = max(0, total - budget.spare - granted)
        if amount:
            name = f"{_PREFIX}{budget.licence}_{int(start.timestamp())}"
            found.append(Window(name, start, end, budget.licence, amount))
    return found


def _granted(
    one: Judged, job: SlurmJob, each: int, plan: PlanView, slot: tuple[datetime, datetime], now: datetime
) -> int:
    start, end = slot
    copies = sum(run.count for run in plan.runs.get(one.facts.id, ()) if run.start < end and run.end > start)
    if job.state != "queued":
        # What it holds cannot be taken from it; one that the plan lets end or pause gives it back then.
        known = one.row is not None and one.facts.id in plan.runs
        return each if copies or not known or start <= now else 0
    if one.row is None:
        return 0
    due = one.latest_start is not None and one.latest_start < end
    return each * max(copies, job.tasks if due else 0)


def budget_orders(wanted: Iterable[Window], held: Iterable[Window], now: datetime) -> Iterator[Order]:
    """What turns the windows that Slurm holds into those that are wanted. Reservations of others are not touched."""
    there = {window.name: window for window in held if window.name.startswith(_PREFIX) and window.end > now}
    for window in wanted:
        known = there.pop(window.name, None)
        told = {"name": window.name, "licence": window.licence, "amount": window.amount}
        if known is None:
            yield Order("reserve", "power budget", at=window.start, until=window.end, **told)  # type: ignore[arg-type]
        elif known.amount != window.amount:
            yield Order("resize", "power budget", **told)  # type: ignore[arg-type]
    for window in there.values():
        yield Order("unreserve", "no limit of the plan in this window", name=window.name)


def read_windows(text: str) -> list[Window]:
    """Ours of ``scontrol show reservation -o``, asked in UTC."""
    found = []
    for line in text.splitlines():
        row = dict(_FIELD.findall(line))
        name = row.get("ReservationName", "")
        licence, colon, amount = row.get("Licenses", "").partition(":")
        if name.startswith(_PREFIX) and colon and amount.isdigit():
            found.append(Window(name, _at(row["StartTime"]), _at(row["EndTime"]), licence, int(amount)))
    return found


def read_total(text: str, licence: str) -> int | None:
    """Licences of one name of ``scontrol show licenses -o``; None where the cluster has none of that name."""
    rows = (dict(_FIELD.findall(line)) for line in text.splitlines())
    return next((int(row["Total"]) for row in rows if row.get("LicenseName") == licence), None)


def _at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
