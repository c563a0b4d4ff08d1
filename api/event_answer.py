"""Whether an event can be kept, and at what cost, before it is accepted: a solve of the day in force with its limit,
unless the plan in force keeps it anyway.

What lies beyond the horizon of the plan in force nobody has planned; there the default set counts, whose worst case is
proven: a limit that it keeps can be kept by switching off.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from anyio import to_thread

from api.events import GridEvent, impossible, slots_of, with_events
from api.following import horizon_of
from api.plan_store import Edition
from api.solving import Solver
from models.horizon import rfc3339
from models.site import Site

_SEEN = 1e-6


async def answer(
    event: GridEvent,
    others: Sequence[GridEvent],
    site: Site,
    edition: Edition | None,
    solver: Solver,
    gone: Callable[[], Awaitable[bool]],
    time_limit_s: float,
) -> dict[str, Any]:
    """What a plan would make of an event beside those accepted already.

    ``feasible`` True: a plan that the referee has passed keeps it; False: it is proven that none does; None: not known.

    Raises:
        NoPlanInTime: neither a plan nor a proof in ``time_limit_s``.
        Refused: the solver is busy.
    """
    beyond = await to_thread.run_sync(_beyond, event, site, edition)
    if edition is None or not slots_of(event, horizon_of(edition)):
        return beyond
    horizon = horizon_of(edition)
    if (why := impossible(edition["problem"], event, horizon)) is not None:
        return {"feasible": False, "method": "bound", "conflicts": [why], "horizon_end": rfc3339(horizon.end)}
    if event.end <= horizon.end and _kept_already(event, edition):
        peak = _peak(edition, slots_of(event, horizon))
        told = {"feasible": True, "method": "plan in force", "planned_peak_mw": peak, "without_event_peak_mw": peak}
        return {**told, "cost_change": 0.0, "currency": site.currency, "horizon_end": rfc3339(horizon.end)}
    document = with_events(edition["problem"], [*others, event], horizon)
    body = json.dumps({**document, "time_limit_s": time_limit_s}).encode()
    plan = await solver.solve(body, time_limit_s, gone)
    if plan["status"] == "infeasible" or plan.get("series") is None:
        told = {"feasible": False, "method": "solve", "conflicts": plan.get("conflicts", [])}
        return {**told, "horizon_end": rfc3339(horizon.end)}
    window = slots_of(event, horizon)
    told = {
        "feasible": True,  # a priced event always is: the peak and the price say what it would come to
        "method": "solve",
        "planned_peak_mw": round(max(plan["series"]["import_mw"][k] for k in window), 6),
        "without_event_peak_mw": _peak(edition, window),
        "cost_change": _change(plan["objective"], edition["plan"]["objective"]),
        "currency": site.currency,
        "unmet_h_change": _total(plan, "unmet_h") - _total(edition["plan"], "unmet_h"),
        "late_h_change": _total(plan, "late_h") - _total(edition["plan"], "late_h"),
        "gap": plan["gap"],
        "horizon_end": rfc3339(horizon.end),
    }
    if event.end > horizon.end and beyond["feasible"] is not True:
        return {**told, "feasible": None, "note": f"{beyond['note']}; up to {rfc3339(horizon.end)} a plan keeps it"}
    return told


def _beyond(event: GridEvent, site: Site, edition: Edition | None) -> dict[str, Any]:
    from models.safety import default_proof  # brings NumPy, which the web process starts without

    last = default_proof(site).stages[-1]
    known = event.most_import_mw >= last.facility_mw
    until = "there is no plan yet" if edition is None else f"the plan ends at {edition['valid_until']}"
    words = (
        f"{until}; the default set keeps the site under {last.facility_mw:.6g} MW on its hottest day "
        f"within {last.seconds:.0f} s"
    )
    return {"feasible": True if known else None, "method": "default set", "note": words}


def _kept_already(event: GridEvent, edition: Edition) -> bool:
    """Whether the refereed plan in force keeps an event that it does not know."""
    peak = _peak(edition, slots_of(event, horizon_of(edition)))
    return peak is not None and peak <= event.aimed_mw


def _peak(edition: Edition, window: range) -> float | None:
    series = edition["plan"].get("series")
    return None if series is None else round(max(series["import_mw"][k] for k in window), 6)


def _change(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else round(after - before, 2)


def _total(plan: dict[str, Any], name: str) -> float:
    total = sum(job.get(name, 0.0) for job in plan["jobs"])
    return total if abs(total) > _SEEN else 0.0
