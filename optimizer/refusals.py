"""What a schema cannot say: the refusals of the contract, all at once, each with its JSON pointer.

Light like :mod:`optimizer.document`: the web process answers a bad document without waking the solver.
"""

from __future__ import annotations

import itertools
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339
from models.strict_json import loads, pointer
from optimizer import energy_refusals, job_refusals
from optimizer.document import Job, Level, Problem, ReceivedProblem, parse_problem

ENVELOPE_TOLERANCE = 1e-6
"""How far under the straight line between its neighbours a level may lie (speed, absolute)."""


def read_problem(data: bytes | str) -> ReceivedProblem:
    """Read a problem document from JSON text.

    Raises:
        InvalidInput: every fault that the strict reader, the schema or the contract's rules find.
    """
    return check_problem(loads(data, "the problem document"))


def check_problem(raw: Any) -> ReceivedProblem:
    """Check parsed JSON as a problem document; raises as :func:`read_problem`."""
    received = parse_problem(raw)
    document = received.document
    faults = [fault for rule in (*_RULES, *energy_refusals.RULES, *job_refusals.RULES) for fault in rule(document)]
    if faults:
        raise InvalidInput("the problem document", sorted(faults, key=lambda fault: fault.pointer))
    return received


def horizon_of(problem: Problem) -> Horizon:
    """The document's slots as a :class:`models.horizon.Horizon`."""
    h = problem.horizon
    return Horizon(h.start, timedelta(minutes=h.step_minutes), h.slots)


def _site(problem: Problem) -> Iterator[Fault]:
    try:
        zoneinfo.ZoneInfo(problem.site.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{problem.site.timezone!r} is no IANA time zone; write one such as Africa/El_Aaiun"
        yield Fault("/site/timezone", "unknown_zone", message)
    h = problem.horizon
    if h.start.year < 1970 or h.start.year > 9000:
        message = f"{rfc3339(h.start)} is not a day one plans; write a year from 1970 to 9000"
        yield Fault("/horizon/start", "out_of_range", message)


def _per_slot(problem: Problem) -> Iterator[tuple[tuple[str | int, ...], Any, bool]]:
    """Every field that may hold one value a slot: its path, its value, and whether it may be negative."""
    signed = {"base_load_mw", "import_price_per_mwh", "export_price_per_mwh", "carbon_kg_per_mwh"}
    for name, value in problem.series:
        yield ("series", name), value, name in signed or name.endswith("_c")
    for name in ("import_limit_mw", "export_limit_mw"):
        yield ("grid", name), getattr(problem.grid, name), False
    if problem.cooling is not None:
        yield ("cooling", "capacity_heat_mw"), problem.cooling.capacity_heat_mw, False
        for k, tangent in enumerate(problem.cooling.tangents):
            yield ("cooling", "tangents", k, "slope"), tangent.slope, True
            yield ("cooling", "tangents", k, "intercept_mw"), tangent.intercept_mw, True
    for k, pool in enumerate(problem.pools):
        yield ("pools", k, "gpus"), pool.gpus, False
    for k, feed in enumerate(problem.feeds):
        yield ("feeds", k, "limit_mw"), feed.limit_mw, False
    yield from energy_refusals.per_slot(problem)


def _slot_values(problem: Problem) -> Iterator[Fault]:
    slots = problem.horizon.slots
    for path, value, signed in _per_slot(problem):
        if value is None:
            continue
        if isinstance(value, list) and len(value) != slots:
            message = f"has {len(value)} values; give one for each of the {slots} slots"
            yield Fault(pointer(*path), "wrong_length", message)
        if signed:
            continue
        for k, number in enumerate(value if isinstance(value, list) else [value]):
            if number < 0:
                place = (*path, k) if isinstance(value, list) else path
                yield Fault(pointer(*place), "negative", f"{number:g} is negative; give 0 or more")


def _twice(path: str, names: Iterable[str], key: str | None = "name") -> Iterator[Fault]:
    first: dict[str, int] = {}
    for k, name in enumerate(names):
        if name in first:
            place = pointer(path, k) if key is None else pointer(path, k, key)
            message = f"{name!r} is already the {key or 'name'} of /{path}/{first[name]}; give each its own"
            yield Fault(place, "duplicate", message)
        first.setdefault(name, k)


def _names(problem: Problem) -> Iterator[Fault]:
    yield from _twice("batteries", [b.name for b in problem.batteries])
    yield from _twice("pools", [p.name for p in problem.pools])
    yield from _twice("feeds", [f.name for f in problem.feeds])
    yield from _twice("jobs", [j.id for j in problem.jobs], "id")
    known = {pool.name for pool in problem.pools}
    hint = f"write one of {', '.join(sorted(known))}" if known else "add it to /pools"
    for k, feed in enumerate(problem.feeds):
        for i, name in enumerate(feed.pools):
            place = pointer("feeds", k, "pools", i)
            if name not in known:
                yield Fault(place, "unknown_pool", f"there is no pool {name!r}; {hint}")
            elif name in feed.pools[:i]:
                yield Fault(place, "duplicate", f"pool {name!r} stands twice in this feed; keep one")
    for k, job in enumerate(problem.jobs):
        if job.pool is not None and job.pool not in known:
            yield Fault(pointer("jobs", k, "pool"), "unknown_pool", f"there is no pool {job.pool!r}; {hint}")


def _batteries(problem: Problem) -> Iterator[Fault]:
    for k, b in enumerate(problem.batteries):
        top = b.energy_mwh if b.soc_max_mwh is None else b.soc_max_mwh
        if top > b.energy_mwh:
            message = f"{top:g} MWh exceeds energy_mwh {b.energy_mwh:g}; lower it"
            yield Fault(pointer("batteries", k, "soc_max_mwh"), "too_high", message)
        if b.soc_min_mwh > top:
            message = f"{b.soc_min_mwh:g} MWh exceeds the highest state of charge {top:g}; lower it"
            yield Fault(pointer("batteries", k, "soc_min_mwh"), "too_high", message)
        elif not b.soc_min_mwh <= b.soc_start_mwh <= top:
            message = f"{b.soc_start_mwh:.12g} MWh is outside [{b.soc_min_mwh:.12g}, {top:.12g}]; give a value inside"
            yield Fault(pointer("batteries", k, "soc_start_mwh"), "outside_limits", message)


def _level_lists(problem: Problem) -> Iterator[tuple[tuple[str | int, ...], list[Level]]]:
    """Levels of every job and of its other ways, with their paths."""
    for k, job in enumerate(problem.jobs):
        yield ("jobs", k, "levels"), job.levels
        for i, other in enumerate(job.alternatives):
            if other.levels is not None:
                yield ("jobs", k, "alternatives", i, "levels"), other.levels


def _curves(problem: Problem) -> Iterator[Fault]:
    for path, levels in _level_lists(problem):
        for i in range(1, len(levels)):
            place = pointer(*path, i, "power_mw")
            low, high = levels[i - 1].power_mw, levels[i].power_mw
            if high < low:
                yield Fault(place, "unsorted", f"{high:g} MW comes after {low:g} MW; sort the levels by power")
            elif high == low:
                yield Fault(place, "equal_power", f"two levels at {high:g} MW; keep the faster one")
        if any(b.power_mw <= a.power_mw for a, b in itertools.pairwise(levels)):
            continue
        for i in range(1, len(levels) - 1):
            a, b, c = levels[i - 1 : i + 2]
            share = (b.power_mw - a.power_mw) / (c.power_mw - a.power_mw)
            line = a.speed + share * (c.speed - a.speed)
            if b.speed < line - ENVELOPE_TOLERANCE:
                message = (
                    f"speed {b.speed:g} lies under the line between its neighbours ({line:g}); "
                    "speed must be concave in power: leave this level out"
                )
                yield Fault(pointer(*path, i, "speed"), "under_envelope", message)


def _times(problem: Problem) -> Iterator[Fault]:
    horizon = horizon_of(problem)
    for k, job in enumerate(problem.jobs):
        for field in ("release", "deadline", "pinned_start"):
            moment: datetime | None = getattr(job, field)
            if moment is None:
                continue
            try:
                horizon.border(moment)
            except ValueError as error:
                yield Fault(pointer("jobs", k, field), "off_border", f"{error}; move it to a border")


def _prices(problem: Problem) -> Iterator[Fault]:
    for k, job in enumerate(problem.jobs):
        if job.due_h is not None and job.due_h > job.work_h:
            message = f"{job.due_h:g} h is more than work_h {job.work_h:g}; lower it"
            yield Fault(pointer("jobs", k, "due_h"), "too_high", message)
        if job.unmet_cost_per_h is not None and job.work_value_per_h > job.unmet_cost_per_h:
            message = (
                f"{job.work_value_per_h:g} exceeds unmet_cost_per_h {job.unmet_cost_per_h:g}: leaving due work "
                "undone would pay; lower it"
            )
            yield Fault(pointer("jobs", k, "work_value_per_h"), "too_high", message)


def _counts(problem: Problem) -> Iterator[Fault]:
    single: dict[str, Callable[[Job], bool]] = {
        "min_run_slots": lambda job: job.min_run_slots != 1,
        "min_pause_slots": lambda job: job.min_pause_slots != 1,
        "max_pauses": lambda job: job.max_pauses is not None,
        "pinned_start": lambda job: job.pinned_start is not None,
        "checkpoint_gb": lambda job: job.checkpoint_gb > 0,
    }
    for k, job in enumerate(problem.jobs):
        if job.pool is None and job.gpus > 0:
            message = f"{job.gpus} GPUs without a pool; name the pool or give 0"
            yield Fault(pointer("jobs", k, "gpus"), "no_pool", message)
        for field, used in single.items():
            if job.count > 1 and used(job):
                message = f"{getattr(job, field)} needs count 1, here it is {job.count}; write single jobs"
                yield Fault(pointer("jobs", k, field), "needs_count_1", message)
    pools: Sequence[Any] = problem.pools
    for k, pool in enumerate(pools):
        most = max([0, *pool.gpus] if isinstance(pool.gpus, list) else [0, pool.gpus])  # wrong ones are told above
        running = [job for job in problem.jobs if job.state == "running" and job.pool == pool.name]
        used_gpus = sum(job.gpus * job.count for job in running)
        if used_gpus > most:
            message = f"running jobs hold {used_gpus} GPUs, the pool has {most}; mend the jobs' states or the pool"
            yield Fault(pointer("pools", k, "gpus"), "more_running_than_gpus", message)


_RULES: tuple[Callable[[Problem], Iterator[Fault]], ...] = (
    _site,
    _slot_values,
    _names,
    _batteries,
    _curves,
    _times,
    _prices,
    _counts,
)
