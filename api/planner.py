"""One round of planning, from facts to an edition: a plain function of its inputs and an instant.

Gather weather, forecast, compose the problem, solve, judge, compare with first come, first served. Nothing is read
from or written to a store here; :mod:`api.desk` does that, and ``chergui plan`` does without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.courses import courses_for
from api.events import GridEvent, Standing, impossible, least_wanted, with_events
from api.evidence import curves_of
from api.expected import Expected, expected
from api.expected_load import expected_loads, with_cooling
from api.following import Memory
from api.gathering import horizon_at
from api.knowledge import Knowledge
from api.learned_cooling import learned_pieces, with_learned_cop
from api.measured import ASSUMED
from api.plan_store import Edition
from ingest.sources.outlook.market import LastGood, MarketView, market_for
from ingest.sources.outlook.weather import SourceNote
from models import cooling
from models.courses import Courses
from models.errors import Fault, InvalidInput
from models.forecast.reserve import fall_mw
from models.forecast.site import SiteForecast
from models.horizon import Horizon, rfc3339
from models.job_ways import chooses
from models.jobs import TrainingJob
from models.site import Site
from optimizer import baselines
from optimizer.carried import carried, with_readings
from optimizer.compose import Availability, SiteState, compose
from optimizer.compose_asks import with_asks
from optimizer.document import Plan, ReceivedProblem, dump_plan
from optimizer.in_force import with_plan_in_force
from optimizer.kept_prices import KeptPrices
from optimizer.refusals import check_problem
from optimizer.rented import with_orders
from optimizer.replay import Previous
from optimizer.rolling import Progress, plan
from optimizer.steadiness import changes_per_hour, moved_starts
from optimizer.verify import verify
from optimizer.weighed import Hedge

Tell = Callable[[Progress], None]
_HAIR = 1e-6
_JOB_AT = re.compile(r"/?jobs[\[/](\d+)")


@dataclass(frozen=True, slots=True)
class Task:
    """What a round starts from; ``jobs`` say what is left of them, ``base`` is the folder of the site file.

    ``previous`` is the plan in force: its starts are tried first, and what is left of it stands where a solver fails.
    ``knowledge`` is what is kept for forecasts; without it the physics forecast, from fresh weather alone. ``metered``
    is what meters say of the plant, as :func:`optimizer.carried.with_readings` takes it.
    """

    site: Site
    jobs: Sequence[TrainingJob]
    memory: Memory
    base: Path | None = None
    time_limit_s: float | None = None
    previous: Previous | None = None
    events: Sequence[GridEvent] = ()
    last_prices: LastGood = field(default_factory=dict)
    state_note: str = ASSUMED
    knowledge: Knowledge | None = None
    metered: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An edition without id and version, and the jobs that could not be planned, each with the reason."""

    edition: Edition
    set_aside: dict[str, str] = field(default_factory=dict)


def cycle(task: Task, now: datetime, on_progress: Tell | None = None) -> Outcome:
    """Plan one horizon from ``now``.

    Raises:
        InvalidInput: the day is refused for something that no single job is to blame for.
        NoPlanInTime: neither a plan nor a proof that there is none.
        CherguiError: weather or solver not available.
    """
    site = task.site
    horizon = horizon_at(site, now)
    sky = expected(site, horizon, now, task.base, task.knowledge)
    loads = expected_loads(site, horizon, now, task.knowledge)
    forecast = sky.forecast
    bulbs = forecast["dry_bulb_c"].values.tolist(), forecast["wet_bulb_c"].values.tolist()
    pieces = learned_pieces(site, *bulbs, now, task.knowledge)
    market = market_for(site, horizon, now, task.base, task.last_prices)
    availability = Availability(
        pv_mw=forecast["pv_available_mw"].p50.tolist(),
        wind_mw=forecast["wind_available_mw"].p50.tolist(),
        base_load_mw=loads.base_mw,
        dry_bulb_c=bulbs[0],
        wet_bulb_c=bulbs[1],
        import_price_per_mwh=market.import_per_mwh,
        export_price_per_mwh=market.export_per_mwh,
        carbon_kg_per_mwh=market.carbon_kg_per_mwh,
        fall_mw=fall_mw([forecast["pv_available_mw"], forecast["wind_available_mw"]], loads.rise_mw).tolist(),
        cooling=pieces.tangents,
    )
    name = f"{site.name}-{horizon.start:%Y%m%dT%H%MZ}"

    events = list(task.events)

    def composed(jobs: Sequence[TrainingJob]) -> ReceivedProblem:
        state = SiteState(task.memory.soc_mwh, task.memory.peak_mw, task.memory.rented_gpu_h)
        day = with_orders(compose(site, horizon, availability, jobs, state, name), horizon, task.previous)
        started = with_readings(carried(horizon, task.previous), task.metered)
        document = with_asks(day, site, horizon, started, loads.services_mw)
        document = with_plan_in_force(document, site, horizon, task.previous)
        return check_problem(with_events(document, events, horizon))

    problem, jobs, aside = _refused_set_aside(task.jobs, composed)
    dropped = [Standing(e.id, False, why) for e in events if (why := impossible(problem.raw, e, horizon)) is not None]
    if dropped:
        events = [event for event in events if event.id not in {told.id for told in dropped}]
        problem, jobs, aside = _refused_set_aside(task.jobs, composed)
    prices: list[KeptPrices] = []
    courses = courses_for(site, horizon, now, sky, loads.rise_mw, task.knowledge) if site.planning.scenarios else None
    hedges: list[Hedge] = []
    found = _solved(problem, task, on_progress, prices, courses, hedges)
    if found.status == "infeasible":
        problem, jobs, found, aside = _orders_set_aside(problem, jobs, found, aside, composed, task, on_progress)
    while found.status == "infeasible" and (least := least_wanted(events)) is not None:
        events.remove(least)
        dropped.append(Standing(least.id, False, "; ".join(found.conflicts) or "no plan keeps it"))
        problem, jobs, aside = _refused_set_aside(task.jobs, composed)
        found = _solved(problem, task, on_progress, prices, courses, hedges)
    yardstick = baselines.first_come_first_served(problem) if found.objective is not None else None
    hedge = hedges[-1] if hedges else None
    if hedge is None or _beaten(hedge, yardstick):
        found = _cheaper(problem, found, yardstick)
    edition = _edition(task, horizon, now, problem, found, yardstick, sky)
    edition["curves"] = with_learned_cop(edition["curves"], pieces)
    loads = with_cooling(loads, site, bulbs, pieces.tangents)
    edition["forecasts"] = {**edition["forecasts"], **loads.told}
    edition["bands"] = {**edition["bands"], **loads.bands}
    edition["sources"] = _with_market(edition["sources"], market)
    edition["prices"] = prices[-1].to_json() if prices else None
    edition["job_labels"] = {job.id: _label(job) for job in jobs}
    edition["steadiness"] = {
        "set_point_changes_per_hour": changes_per_hour(found, horizon.step_h),
        "moved_starts": moved_starts(found, horizon.start, task.previous),
    }
    if courses is not None:
        edition["scenarios"] = _scenarios(courses, hedge, yardstick)
    edition["events"] = [told.to_json() for told in [*(Standing(e.id, True) for e in events), *dropped]]
    edition["set_aside"] = [{"id": job_id, "reason": reason} for job_id, reason in aside.items()]
    return Outcome(edition, aside)


def _label(job: TrainingJob) -> dict[str, Any]:
    """What a document does not say of a job; where it was asked to run, if that is not the only way."""
    label = {"priority": job.priority, "workload": job.workload, "synthetic": job.source == "synthetic"}
    return label | ({"pool": job.pool, "gpus": job.gpus} if chooses(job) else {})


def _solved(
    problem: ReceivedProblem,
    task: Task,
    on_progress: Tell | None,
    prices: list[KeptPrices] | None = None,
    courses: Courses | str | None = None,
    hedges: list[Hedge] | None = None,
) -> Plan:
    limit_s = task.site.planning.time_limit_s if task.time_limit_s is None else task.time_limit_s
    return plan(
        problem,
        time_limit_s=limit_s,
        threads=task.site.planning.threads,
        previous=task.previous,
        on_progress=on_progress,
        on_prices=None if prices is None else prices.append,
        courses=courses if isinstance(courses, Courses) else None,
        risk=task.site.planning.scenario_risk,
        on_hedge=None if hedges is None else hedges.append,
    )


def _refused_set_aside(
    jobs: Sequence[TrainingJob], composed: Callable[[Sequence[TrainingJob]], ReceivedProblem]
) -> tuple[ReceivedProblem, list[TrainingJob], dict[str, str]]:
    """The day without the jobs that its checks refuse: one bad job must not cost the others their plan."""
    kept, aside = list(jobs), dict[str, str]()
    while True:
        try:
            return composed(kept), kept, aside
        except InvalidInput as error:
            blamed = _blamed(kept, error.faults)
            if not blamed:
                raise
            aside |= blamed
            kept = [job for job in kept if job.id not in blamed]


def _blamed(jobs: Sequence[TrainingJob], faults: Sequence[Fault]) -> dict[str, str]:
    found: dict[str, str] = {}
    for fault in faults:
        at = _JOB_AT.match(fault.pointer)
        if at is not None:
            found.setdefault(jobs[int(at[1])].id, fault.message)
        elif fault.code == "more_running_than_gpus":
            pool = fault.pointer.rpartition(".")[2]
            last = [job for job in jobs if job.state == "running" and job.where[0] == pool][-1:]
            found |= {job.id: fault.message for job in last}
    return found


def _orders_set_aside(
    problem: ReceivedProblem,
    jobs: list[TrainingJob],
    found: Plan,
    aside: dict[str, str],
    composed: Callable[[Sequence[TrainingJob]], ReceivedProblem],
    task: Task,
    on_progress: Tell | None,
) -> tuple[ReceivedProblem, list[TrainingJob], Plan, dict[str, str]]:
    """Where hard orders contradict each other: without pinned starts, then without jobs that may not be stopped.

    Everything else has a price, so nothing else makes a day impossible. Stays infeasible where the site itself does.
    """
    why = "; ".join(found.conflicts) or "its order cannot be met"
    for hard in (_is_pinned, _is_unstoppable):
        blamed = [job for job in jobs if hard(job)]
        if not blamed:
            continue
        aside = aside | {job.id: f"set aside, because the day has no plan with it: {why}" for job in blamed}
        jobs = [job for job in jobs if not hard(job)]
        problem = composed(jobs)
        found = _solved(problem, task, on_progress)
        if found.status != "infeasible":
            break
    return problem, jobs, found, aside


def _is_pinned(job: TrainingJob) -> bool:
    return job.pinned_start is not None


def _is_unstoppable(job: TrainingJob) -> bool:
    return job.state == "running" and not job.preemptible


def _cheaper(problem: ReceivedProblem, found: Plan, yardstick: Plan | None) -> Plan:
    """The yardstick itself where a short solve ended above it, under the bound that was proven for the day."""
    if yardstick is None or yardstick.objective is None or found.objective is None:
        return found
    if yardstick.objective >= found.objective:
        return found
    gap = None if found.bound is None else (yardstick.objective - found.bound) / max(1.0, abs(yardstick.objective))
    status = "optimal" if gap is not None and gap <= problem.document.gap else "feasible"
    better = yardstick.model_copy(update={"bound": found.bound, "gap": gap, "status": status})
    return found if verify(problem, better) else better


def _beaten(hedge: Hedge, yardstick: Plan | None) -> bool:
    """Whether the yardstick costs less than the cheapest plan among those whose starts were weighed."""
    own = hedge.weighed[0].cost
    return yardstick is not None and yardstick.objective is not None and yardstick.objective < own - _HAIR * abs(own)


def _scenarios(courses: Courses | str, hedge: Hedge | None, yardstick: Plan | None) -> dict[str, Any]:
    """What weighing starts over courses came to, or why the plan counts on its forecast alone."""
    if isinstance(courses, str):
        return {"reason": courses}
    if hedge is None:
        return {"reason": "there was no time to weigh them"}
    if _beaten(hedge, yardstick):
        return {"reason": "first come, first served costs less than any plan found"}
    return {"reason": None, **hedge.to_json()}


def _edition(
    task: Task,
    horizon: Horizon,
    now: datetime,
    problem: ReceivedProblem,
    found: Plan,
    yardstick: Plan | None,
    sky: Expected,
) -> Edition:
    site = task.site
    bulbs = sky.forecast["dry_bulb_c"].values.tolist(), sky.forecast["wet_bulb_c"].values.tolist()
    return {
        "site": site.name,
        "created_at": rfc3339(now),
        "valid_from": rfc3339(horizon.start),
        "valid_until": rfc3339(horizon.end),
        "problem": problem.raw,
        "plan": dump_plan(found),
        "baseline": None if yardstick is None else dump_plan(yardstick),
        "baseline_note": _baseline_note(found, yardstick),
        "saving": _saving(found, yardstick),
        "sources": _sources(site, sky.forecast, sky.note),
        "bands": sky.bands,
        "forecasts": sky.told,
        "curves": curves_of(site, *bulbs),
        "temperatures": _temperatures(site, horizon, problem, found),
        "limits": _limits(site),
        "state": {**task.memory.to_json(), "source": task.state_note},
        "charts": {},
    }


def _baseline_note(found: Plan, yardstick: Plan | None) -> str | None:
    if found.objective is None:
        return "there is no plan to compare"
    return None if yardstick is not None else "first come, first served leaves work undone that may not be"


def _saving(found: Plan, yardstick: Plan | None) -> dict[str, Any] | None:
    if found.objective is None or yardstick is None or yardstick.objective is None:
        return None
    # first come, first served knows no plan in force: what changes against it cost is in neither figure
    theirs = yardstick.objective - yardstick.terms.get("change", 0.0)
    ours = found.objective - found.terms.get("change", 0.0)
    return {
        "baseline_cost": theirs,
        "cost": ours,
        "saving": theirs - ours,
        "saving_ratio": (theirs - ours) / abs(theirs) if theirs else 0.0,
        "method": "first-come-first-served",
    }


def _sources(site: Site, forecast: SiteForecast, note: SourceNote) -> list[dict[str, Any]]:
    issued = None if note.issued_at is None else rfc3339(note.issued_at)
    rows: list[dict[str, Any]] = []
    for series, quantiles in (
        ("pv_available_mw", forecast["pv_available_mw"]),
        ("wind_available_mw", forecast["wind_available_mw"]),
    ):
        if quantiles.capacity_mw > 0:
            rows.append({"series": series, "method": quantiles.method})
    rows += [{"series": series, "method": note.method} for series in ("dry_bulb_c", "wet_bulb_c")]
    for row in rows:
        row |= {"source": note.source, "synthetic": note.synthetic, "issued_at": issued}
    assumed = "assumed" in site.tariff.note.lower()
    tariff = {"source": site.tariff.note or "site file", "synthetic": assumed, "issued_at": None, "method": "tariff"}
    return rows + [{"series": f"{way}_price_per_mwh", **tariff} for way in ("import", "export")]


def _with_market(rows: list[dict[str, Any]], market: MarketView) -> list[dict[str, Any]]:
    """The sources, with the series that won over the tariff in its place."""
    told = {note.series: note for note in market.notes}
    found = [row for row in rows if row["series"] not in told]
    for key, note in told.items():
        issued = None if note.issued_at is None else rfc3339(note.issued_at)
        row = {"series": key, "method": note.method, "source": note.source, "synthetic": False, "issued_at": issued}
        found.append(row)
    return found


def _temperatures(site: Site, horizon: Horizon, problem: ReceivedProblem, found: Plan) -> dict[str, list[float]]:
    series = problem.document.series
    told = {"dry_bulb_c": series.dry_bulb_c, "wet_bulb_c": series.wet_bulb_c}
    plant = site.cooling
    # where masses or units are planned, the plan itself tells how warm it gets
    if plant is not None and found.series is not None and not (plant.masses or plant.units):
        heat, step_min = found.series.heat_mw, horizon.step / timedelta(minutes=1)
        told["hall_air_c"] = [round(float(v), 3) for v in cooling.hall_air_c(heat, step_min, plant)]
        if plant.liquid is not None and series.dry_bulb_c and series.wet_bulb_c:
            loop = cooling.loop_supply_c(heat, series.dry_bulb_c, series.wet_bulb_c, step_min, plant)
            told["loop_supply_c"] = [round(float(v), 3) for v in loop]
    return {name: list(values) for name, values in told.items() if values is not None}


def _limits(site: Site) -> dict[str, float]:
    plant = site.cooling
    if plant is None or plant.masses or plant.units:
        return {}
    limits = {"hall_air_recommended_c": plant.hall.recommended_c, "hall_air_allowable_c": plant.hall.allowable_c}
    if plant.liquid is not None:
        limits |= {"loop_recommended_c": plant.loop.recommended_c, "loop_allowable_c": plant.loop.allowable_c}
    return limits
