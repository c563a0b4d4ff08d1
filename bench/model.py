"""What the whole model costs: ``python -m bench.model``.

Prints, as Markdown: seconds to build the model for 100 and 500 jobs and their share of build and solve; the gap over
time on the sample campus with all parts on, 100 jobs and 144 slots, one thread; and what each safety feature costs
there. Weather and jobs are made up (synthetic).
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ingest.site_file import read_site, sample_path
from ingest.sources.synthetic_jobs import synthetic_jobs
from models.held_heat import Mass
from models.horizon import Horizon, use_packaged_time_zones
from models.site import Site
from models.site_asks import Budgets, Generator, Service, Target, Water
from optimizer.build import build
from optimizer.compose import Availability, assumed_state, compose
from optimizer.compose_asks import with_asks
from optimizer.document import Plan
from optimizer.energy_model import EnergyModel
from optimizer.in_force import with_plan_in_force
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.rolling import Progress, plan
from optimizer.solve import Compiled

BEGAN = datetime(2026, 11, 25, 8, tzinfo=UTC)
SLOTS = 144
REPLAN_AFTER = 4
"""Slots from the plan in force to the re-plan whose stability is priced."""

PAID = ("import", "export", "demand_charge", "carbon", "wear", "starts", "fuel", "water", "late", "unmet", "work_value")
"""Terms that count as what a day costs; worth of stored energy, wishes and changes are told apart from them."""


def campus(jobs: int) -> Site:
    """The sample campus with so many made-up jobs a day, over 36 hours."""
    site = read_site(sample_path("dakhla"))
    made = site.synthetic.model_copy(update={"jobs_per_day": jobs})
    planning = site.planning.model_copy(update={"horizon_h": SLOTS / 4, "step_minutes": 15, "threads": 1})
    return site.model_copy(update={"synthetic": made, "planning": planning})


def with_everything(site: Site) -> Site:
    """The site with a set, a service, a target, budgets, water and a thermal mass; figures assumed."""
    assert site.cooling is not None
    evening = Target(
        id="evening",
        start=BEGAN.replace(hour=18),
        end=BEGAN.replace(hour=21),
        most_import_mw=0.6 * site.grid.import_limit_mw,
        cost_per_mwh=900.0,
    )
    water = Water(m3_per_mwh=1.2, price_per_m3=30.0, limit_m3_per_day=800.0, over_cost_per_m3=90.0)
    mass = Mass(
        mwh_per_k=0.6,
        assumed_c=24.0,
        lowest_c=20.0,
        allowable_c=32.0,
        recommended_c=27.0,
        above_recommended_cost_per_k_h=60.0,
    )
    batteries = [battery.model_copy(update={"end_value_per_mwh": 300.0}) for battery in site.batteries]
    return site.model_copy(
        update={
            "batteries": tuple(batteries),
            "generators": (
                Generator(name="set", power_mw=2.0, min_power_mw=0.6, fuel_cost_per_mwh=3200.0, start_cost=400.0),
            ),
            "services": (Service(name="chat", mean_mw=0.8, min_share=0.7, below_nominal_cost_per_mwh=5000.0),),
            "budgets": Budgets(carbon_budget_kg=2e5, above_carbon_budget_cost_per_kg=0.3),
            "grid": site.grid.model_copy(update={"billing_minutes": 60.0, "targets": (evening,)}),
            "cooling": site.cooling.model_copy(update={"water": water, "mass": mass}),
        }
    )


def day(site: Site, first: int = 0, *, asks: bool = False, reserve: float | None = None) -> dict[str, Any]:
    """Document of the site's day from slot ``first`` on; ``reserve``: price per MWh of missing headroom."""
    horizon = Horizon(BEGAN + first * site.planning.step, site.planning.step, SLOTS)
    hours = [(at.hour + at.minute / 60) for at in horizon.starts()]
    peak = sum(s.inverter_ac_mw for s in site.solar)
    pv = [0.75 * peak * max(0.0, math.sin((h - 7) / 11 * math.pi)) if 7 < h < 18 else 0.0 for h in hours]
    wind = [sum(w.count * w.rated_mw for w in site.wind) * (0.4 + 0.2 * math.sin(h / 24 * 2 * math.pi)) for h in hours]
    dry = [23.0 + 6.0 * math.sin((h - 9) / 24 * 2 * math.pi) for h in hours]
    sky = Availability(
        pv, wind, None, dry, [t - 5.0 for t in dry], fall_mw=[0.3 * (a + b) for a, b in zip(pv, wind, strict=True)]
    )
    priced = site.planning.model_copy(update={"reserve_price_per_mwh": reserve})
    site = site.model_copy(update={"planning": priced})
    jobs = synthetic_jobs(site, BEGAN.date())
    found = compose(site, horizon, sky, jobs, assumed_state(site), f"bench-{first}")
    return with_asks(found, site, horizon) if asks else found


def built_s(raw: dict[str, Any]) -> tuple[float, float, int]:
    """CPU seconds to build the whole model and that of slot prices, both handed over, and the first one's rows.

    CPU seconds, because building is one thread's work and a busy machine would count twice.
    """
    problem = compile_problem(check_problem(raw))
    begun = time.process_time()
    model, _ = build(problem)
    compiled = Compiled(model)
    whole = time.process_time()
    EnergyModel(problem)
    return whole - begun, time.process_time() - whole, compiled.lp.num_row_


def solved(raw: dict[str, Any], limit_s: float, gap: float) -> tuple[Plan, list[Progress], float]:
    """The plan, how it came, and its seconds."""
    told: list[Progress] = []
    begun = time.perf_counter()
    found = plan(check_problem(raw), gap=gap, time_limit_s=limit_s, threads=1, on_progress=told.append)
    return found, told, time.perf_counter() - begun


def paid(found: Plan) -> float:
    """Money of a plan without worth of stored energy, wishes and changes."""
    return sum(found.terms.get(name, 0.0) for name in PAID)


def gap_rows(told: list[Progress], seconds: tuple[float, ...]) -> Iterator[str]:
    """The best gap known at each instant."""
    for limit in seconds:
        known = [one.gap for one in told if one.elapsed_s <= limit and one.gap is not None]
        yield f"| {limit:g} | {'none yet' if not known else f'{known[-1]:.2%}'} |"


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What the whole model costs.")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of one solve")
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 500], help="jobs a day whose model is built")
    parser.add_argument("--gap", type=float, default=0.001, help="relative gap asked")
    asked = parser.parse_args(argv)
    use_packaged_time_zones()
    print(f"{SLOTS} slots, one thread, limit {asked.limit:g} s, {platform.machine()}; made-up jobs and weather.\n")
    print("| jobs | rows | whole model, CPU s | slot prices' model, CPU s | solve s | share of the latter |")
    print("|---|---|---|---|---|---|")
    for jobs in asked.jobs:
        raw = day(campus(jobs))
        whole_s, priced_s, rows = built_s(raw)
        _, _, took = solved(raw, asked.limit, asked.gap)
        share = f"{priced_s / (priced_s + took):.1%}"
        print(f"| {len(raw['jobs'])} | {rows:,} | {whole_s:.2f} | {priced_s:.2f} | {took:.1f} | {share} |", flush=True)
    site = with_everything(campus(100))
    first, told, _ = solved(day(site, asks=True), asked.limit, asked.gap)
    print(f"\n| seconds (all parts on, {len(first.jobs)} jobs) | gap |\n|---|---|")
    print("\n".join(gap_rows(told, tuple(sorted({5, 10, 15, 30, asked.limit})))), flush=True)
    safety(asked.limit, asked.gap)
    return 0


def safety(limit_s: float, gap: float) -> None:
    """What each safety feature costs on the sample campus, beside the day without any."""
    plain = campus(100)
    before, _, _ = solved(day(plain), limit_s, gap)
    steady = plain.planning.model_copy(update={"frozen_minutes": 30.0, "moved_price_per_gpu_h": 0.5})
    later = day(plain, REPLAN_AFTER)
    horizon = Horizon(BEGAN + REPLAN_AFTER * plain.planning.step, plain.planning.step, SLOTS)
    in_force = Previous(before, BEGAN)
    held = with_plan_in_force(later, plain.model_copy(update={"planning": steady}), horizon, in_force)
    rows = [
        ("none", day(plain)),
        ("reserve: 30 % of sun and wind, 1,000 per MWh", day(plain, reserve=1000.0)),
        ("wishes: all parts on", day(with_everything(plain), asks=True)),
        ("none, an hour later", later),
        ("stability: 30 min frozen, 0.5 per GPU-hour", held),
    ]
    print("\n| safety | paid | change | wishes | worth of stored | gap |\n|---|---|---|---|---|---|")
    for name, raw in rows:
        found, _, _ = solved(raw, limit_s, gap)
        terms = [found.terms.get(key, 0.0) for key in ("change", "wishes", "stored")]
        known = "–" if found.gap is None else f"{found.gap:.2%}"
        print(f"| {name} | {paid(found):,.0f} | {' | '.join(f'{t:,.0f}' for t in terms)} | {known} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
