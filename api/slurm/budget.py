"""A power budget that changes with the plan, as reservations of licences only.

Jobs carry ``-L kw:N``. What the plan does not grant now is reserved away, so that Slurm starts no more than that. A job
whose latest start has come has its licences in the budget whatever the plan says.

Slurm adds up every reservation that a job's whole run touches. Windows one after another would count again and again
against a long job, and one that reserves more later would count already now. So all of ours begin now, each ends where
the plan frees more, and together they reserve exactly what is not granted at this moment; later tightening is told when
it comes. They reach a few hours ahead only: without us the budget opens by itself, and soon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.slurm.order import Order
from api.slurm.view import PlanView
from ingest.sources.slurm.shape import SlurmJob
from models.job_policy import Judged
from models.job_sources import PowerBudget

_PREFIX = "chergui_"
_HOLD = timedelta(minutes=10)
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
    """Windows from now on; each is named after its end."""
    told = [(one, jobs[one.facts.id], jobs[one.facts.id].licences.get(budget.licence, 0)) for one in judged]
    carriers = [(one, job, each) for one, job, each in told if each > 0]
    ends: list[datetime] = []
    left: list[int] = []
    for k in range(plan.horizon.slots):
        start, end = plan.horizon.at(k), plan.horizon.at(k + 1)
        if end <= now or start - now > timedelta(hours=budget.lookahead_h):
            continue
        granted = sum(_granted(one, job, each, plan, (start, end), now) for one, job, each in carriers)
        ends.append(end)
        left.append(min([max(0, total - budget.spare - granted), *left[-1:]]))
    steps = [before - after for before, after in zip(left, [*left[1:], 0], strict=True)]
    return [
        Window(f"{_PREFIX}{budget.licence}_{int(end.timestamp())}", now, end, budget.licence, amount)
        for end, amount in zip(ends, steps, strict=True)
        if amount
    ]


def hold(
    judged: Iterable[Judged], jobs: Mapping[str, SlurmJob], total: int, budget: PowerBudget, now: datetime
) -> Window:
    """No starts for now: all that no running job has is reserved away. It ends by itself unless it is renewed."""
    told = [jobs[one.facts.id] for one in judged]
    held = sum(job.licences.get(budget.licence, 0) for job in told if job.state != "queued")
    name = f"{_PREFIX}{budget.licence}_hold"
    return Window(name, now, now + _HOLD, budget.licence, max(0, total - held))


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
        elif known.amount != window.amount or window.end - known.end > _HOLD / 2:
            yield Order("resize", "power budget", until=window.end, **told)  # type: ignore[arg-type]
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
