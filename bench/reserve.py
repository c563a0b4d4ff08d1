"""What a reserve sized by the forecast's quantiles costs and saves: weeks of a sample site in closed loop.

    python -m bench.reserve [--start 2026-01-05 --days 14] [--policies p50,headroom,stored,p30] [--price 300]
    python -m bench.reserve --grid 0.6 --battery 0.25        # a weaker line and a smaller battery than the sample's

Every three hours the site is planned for 24 hours (hourly slots, the day's made-up jobs) with the forecast as it is
known then; the world then gives what the made-up year holds. Jobs run as planned. Where sun and wind fall short, the
site buys up to the higher of what was planned and the month's peak, then empties the battery to its floor, then buys up
to the import limit, then sheds computing: that is a violation, and costs what leaving its work undone does. What comes
in excess is used against purchase, charges, is sold, or is lost.

Policies: ``p50`` plans on the median alone; ``headroom`` asks for room below import limit and battery power for a fall
to P10 in every slot; ``stored`` asks for the energy of that fall over the three hours until the next plan too, which is
what the service does where headroom has a price; ``scenarios`` takes of several plans' starts those that cost least
on average over ten courses of sun and wind (drawn from past errors), ``scenarios+stored`` asks for headroom and stored
energy besides; ``p30`` plans on the middle between P10 and P50; ``known`` knows what will come. Weighing has as long
again as the solve. Assumed: the site, its weather, its forecast errors, its jobs; nothing here is a real plant.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from api.following import as_it_stands, followed_job
from api.store.jobs import KnownJob, Progress
from ingest.site_file import find_site, read_site
from ingest.sources.outlook.weather import actual_weather, history_for, weather_for
from ingest.sources.synthetic_jobs import synthetic_jobs
from models.courses import Courses
from models.forecast.courses import Lasting, from_past, lasting
from models.forecast.quantiles import QuantileForecast
from models.forecast.reserve import fall_mw
from models.forecast.site import PV, WIND, capacity_mw, forecast_site, pv_mw, wind_mw
from models.horizon import Horizon, use_packaged_time_zones
from models.site import Site
from models.tariff import prices
from optimizer.compose import Availability, SiteState, assumed_state, compose
from optimizer.document import Plan, dump_plan
from optimizer.finds import Request
from optimizer.hedge import PLAN_SHARE
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.verify import verify
from optimizer.weighed import Hedge
from optimizer.worker import work

HOUR = timedelta(hours=1)
HORIZON_H, REPLAN_H = 24, 3
POLICIES = ("p50", "headroom", "stored", "scenarios", "scenarios+stored", "p30", "known")
COURSES = 10
_GPU_W = 1100.0  # an H100 at work with its share of the host: turns a price per GPU-hour into one per MWh shed
_HAIR = 1e-6


@dataclass(slots=True)
class Happened:
    """What a policy led to; money in the site's currency, energies in MWh."""

    energy: float = 0.0
    peak: float = 0.0
    wear: float = 0.0
    work: float = 0.0
    shed: float = 0.0
    shed_mwh: float = 0.0
    shed_hours: int = 0
    hours: int = 0
    lost_mwh: float = 0.0
    refused: int = 0
    hedged: int = 0
    moved: int = 0
    promised: float = 0.0
    without_plan: int = 0
    seconds: float = 0.0
    peaks: dict[str, float] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        return self.energy + self.peak + self.wear + self.work + self.shed


class World:
    """A sample site from ``start`` (a UTC midnight) on: its sun and wind, and the jobs that come."""

    def __init__(self, site: Site, start: datetime, days: int) -> None:
        self.site, self.start, self.hours = site, start, days * 24
        weather = actual_weather(site, Horizon(start, HOUR, self.hours + HORIZON_H)).on(
            Horizon(start, HOUR, self.hours + HORIZON_H)
        )
        self.pv, self.wind = pv_mw(site.solar, weather), wind_mw(site.wind, weather)
        self._lasting: dict[datetime, Lasting] = {}
        self.jobs = [job for d in range(days + 1) for job in synthetic_jobs(site, (start + d * 24 * HOUR).date())]

    def run(self, policy: str, price: float, limit_s: float) -> Happened:
        """Plan and live through all days."""
        happened, state = Happened(), assumed_state(self.site)
        began = time.perf_counter()
        known = {
            job.id: KnownJob(job, Progress(job.work_h, job.state, job.ran_slots), "open", None, "", "")
            for job in self.jobs
        }
        planned_at, in_force = 0, None
        for first in range(0, self.hours, REPLAN_H):
            horizon = Horizon(self.start + first * HOUR, HOUR, HORIZON_H)
            found = self._planned(known, policy, price, state, horizon, happened, limit_s)
            if found is not None:
                planned_at, in_force = first, found
            else:
                happened.without_plan += 1  # the plan in force stays, as in the service
            if in_force is None or first + REPLAN_H - planned_at > HORIZON_H:
                raise RuntimeError(f"no plan for {horizon.start}, and none in force that reaches there")
            raw, plan = in_force
            last = min(first + REPLAN_H, self.hours)
            for t in range(first, last):
                state = self._live(plan, t - planned_at, t, state, happened)
            self._follow(known, raw, plan, horizon.start, self.start + last * HOUR, happened)
        self._settle(known, state, happened)
        happened.seconds = time.perf_counter() - began
        return happened

    def _planned(
        self,
        known: dict[str, KnownJob],
        policy: str,
        price: float,
        state: SiteState,
        horizon: Horizon,
        happened: Happened,
        limit_s: float,
    ) -> tuple[dict[str, Any], Plan] | None:
        """Document and plan; None where there is none."""
        now = horizon.start
        weather, _ = weather_for(self.site, horizon, now)
        found = forecast_site(self.site, horizon, weather, now, history_for(self.site, now))
        pv, wind = found["pv_available_mw"], found["wind_available_mw"]
        said = [pv.p50, wind.p50]
        if policy == "p30":
            said = [(one.p10 + one.p50) / 2 for one in (pv, wind)]
        if policy == "known":
            at = (now - self.start) // HOUR
            said = [self.pv[at : at + HORIZON_H], self.wind[at : at + HORIZON_H]]
        queue = [
            as_it_stands(one) for one in known.values() if one.status == "open" and one.job.release <= now
        ]  # nobody knows tomorrow's jobs
        asked = policy in ("headroom", "stored", "scenarios+stored")
        sky = Availability(
            said[0].tolist(),
            said[1].tolist(),
            dry_bulb_c=found["dry_bulb_c"].values.tolist(),
            wet_bulb_c=found["wet_bulb_c"].values.tolist(),
            fall_mw=fall_mw((pv, wind)).tolist() if asked else None,
        )
        planning = self.site.planning.model_copy(update={"reserve_price_per_mwh": price if asked else None})
        site = self.site.model_copy(update={"planning": planning})
        raw = compose(site, horizon, sky, queue, state, f"reserve-{now:%Y%m%dT%H}")
        if policy == "headroom":
            for battery in raw["batteries"]:
                battery |= {"reserve_mwh": 0.0, "below_reserve_cost_per_mwh_h": None}
        received = check_problem(raw)
        request = Request(gap=0.01, time_limit_s=limit_s)
        if policy.startswith("scenarios"):
            request = Request(gap=0.01, time_limit_s=limit_s / PLAN_SHARE, courses=self._courses((pv, wind), now))
        best: Plan | None = None
        hedge: Hedge | None = None
        for find in work(compile_problem(received), request):
            dearer = best is not None and find.plan is not None and (find.plan.objective or 0) > (best.objective or 0)
            if find.plan is None or (dearer and find.hedge is None):
                continue
            hedge = find.hedge or hedge
            if verify(received, find.plan, 0.01):
                happened.refused += 1
            else:
                best = find.plan
        if hedge is not None:
            happened.hedged += 1
            happened.moved += hedge.chosen != "plan"
            happened.promised += hedge.weighed[0].expected_cost - hedge.expected_cost
        return None if best is None or best.series is None else (raw, best)

    def _courses(self, forecasts: tuple[QuantileForecast, QuantileForecast], now: datetime) -> Courses:
        """Courses as of ``now``, from the errors of the last weeks' forecasts."""
        today = now.replace(hour=0)
        if today not in self._lasting:
            past = history_for(self.site, today)
            assert past is not None
            self._lasting = {today: lasting({name: past[name] for name in (PV, WIND)}, capacity_mw(self.site))}
        sun, wind = from_past(self._lasting[today], forecasts, COURSES, (now - self.start) // HOUR)
        return Courses(sun, wind, origin="past errors")

    def _live(self, plan: Plan, k: int, t: int, state: SiteState, happened: Happened) -> SiteState:
        """One hour: slot ``k`` of the plan, hour ``t`` of the world."""
        series, site, horizon = plan.series, self.site, Horizon(self.start + t * HOUR, HOUR, 1)
        assert series is not None
        limit = site.import_limit_mw(horizon)[0]
        tariff = prices(site.tariff, horizon, site.zone)
        load = series.heat_mw[k] + series.cooling_mw[k] + site.base_load_mw(horizon)[0]
        battery = site.batteries[0]
        stored = state.soc_mwh[battery.name]
        power = series.charge_mw[battery.name][k] - series.discharge_mw[battery.name][k]
        bought, sold = series.import_mw[k], series.export_mw[k]
        month = f"{horizon.start.astimezone(site.zone):%Y-%m}"
        peak = happened.peaks.setdefault(month, site.grid.peak_assumed_mw)
        most_out = min(battery.power_mw, max(0.0, stored - battery.floor_mwh) * battery.discharge_efficiency)
        most_in = min(battery.power_mw, max(0.0, battery.top_mwh - stored) / battery.charge_efficiency)
        power = min(max(power, -most_out), most_in)
        # what is missing (above 0) or left over once everything else does as planned
        missing = load + power + sold - bought - (self.pv[t] + self.wind[t])
        if missing > 0:
            for give in ("export", "charge", "import to peak", "battery", "import"):
                if give == "export":
                    step = min(missing, sold)
                    sold -= step
                elif give == "charge":
                    step = min(missing, max(0.0, power))
                    power -= step
                elif give == "battery":
                    step = min(missing, power + most_out)
                    power -= step
                else:
                    step = min(missing, max(0.0, (min(limit, max(bought, peak)) if "peak" in give else limit) - bought))
                    bought += step
                missing -= step
            if missing > _HAIR:
                happened.shed_mwh += missing
                happened.shed_hours += 1
        else:
            over = -missing
            step = min(over, bought)
            bought, over = bought - step, over - step
            step = min(over, most_in - power)
            power, over = power + step, over - step
            step = min(over, site.grid.export_limit_mw - sold)
            sold, over = sold + step, over - step
            happened.lost_mwh += over
        happened.hours += 1
        happened.peaks[month] = max(peak, bought)
        happened.energy += bought * tariff.import_per_mwh[0] - sold * tariff.export_per_mwh[0]
        happened.wear += max(0.0, -power) * battery.wear_cost_per_mwh
        change = power * battery.charge_efficiency if power > 0 else power / battery.discharge_efficiency
        stored = min(max(stored + change, battery.soc_min_mwh), battery.top_mwh)
        return SiteState({battery.name: stored}, happened.peaks[month])

    def _follow(
        self,
        known: dict[str, KnownJob],
        raw: dict[str, Any],
        plan: Plan,
        since: datetime,
        now: datetime,
        happened: Happened,
    ) -> None:
        """Jobs as the plan had them run from ``since`` to ``now``; late work is paid as it is done."""
        edition = {"problem": raw, "plan": dump_plan(plan)}
        runs = {job.id: job.runs for job in plan.jobs}
        for name, one in known.items():
            if one.status != "open":
                continue
            for run in runs.get(name, ()):
                late_h = sum(
                    run.speed
                    for at in (run.start + h * HOUR for h in range((run.end - run.start) // HOUR))
                    if since <= at < now and one.job.deadline is not None and at >= one.job.deadline
                )
                happened.work += late_h * one.job.gpus * self.site.wishes.late_per_gpu_h.get(one.job.priority, 0.0)
            progress, status, _ = followed_job(one, edition, now)
            over = one.job.deadline is not None and one.job.deadline <= now
            if status == "open" and over and one.job.priority not in self.site.wishes.late_per_gpu_h:
                status = "set_aside"
            known[name] = dataclasses.replace(one, progress=progress, status=status)
            if status == "set_aside":
                happened.work += self._undone(one, progress.work_left_h)

    def _undone(self, one: KnownJob, hours: float) -> float:
        return hours * one.job.gpus * one.job.count * self.site.wishes.unmet_per_gpu_h[one.job.priority]

    def _settle(self, known: dict[str, KnownJob], state: SiteState, happened: Happened) -> None:
        """At the end: peaks, shed work, the fair part of what is not done, stored energy at a mean price."""
        end = self.start + self.hours * HOUR
        for one in known.values():
            if one.status != "open" or one.job.release >= end or one.job.deadline is None:
                continue
            window = one.job.deadline - one.job.release
            fair = one.job.work_h * min(1.0, (end - one.job.release) / window)
            short = max(0.0, fair - (one.job.work_h - one.progress.work_left_h))
            happened.work += self._undone(one, short) * (1.0 if one.job.deadline <= end else 0.5)
        site = self.site
        demand = site.tariff.demand_charge_per_mw
        happened.peak = sum(demand * (peak - site.grid.peak_assumed_mw) for peak in happened.peaks.values())
        happened.shed = happened.shed_mwh * site.wishes.unmet_per_gpu_h["normal"] / (_GPU_W / 1e6)
        mean = float(np.mean(prices(site.tariff, Horizon(self.start, HOUR, self.hours), site.zone).import_per_mwh))
        for battery in site.batteries:
            happened.energy -= mean * (state.soc_mwh[battery.name] - battery.assumed_mwh)


def sample(jobs_per_day: int, grid_share: float, battery_share: float) -> Site:
    """The campus with few made-up jobs a day, planned by the hour, with shares of its line and of its battery."""
    site = read_site(find_site("dakhla"))
    windows = tuple(
        one.model_copy(update={"import_limit_mw": grid_share * one.import_limit_mw}) for one in site.grid.windows
    )
    line = {
        "import_limit_mw": grid_share * site.grid.import_limit_mw,
        "peak_assumed_mw": grid_share * site.grid.peak_assumed_mw,
        "windows": windows,
        "import_ramp_mw_per_slot": None,
    }
    keys = ("power_mw", "energy_mwh", "soc_min_mwh", "soc_max_mwh", "reserve_mwh", "soc_assumed_mwh", "soc_end_min_mwh")
    stores = tuple(
        one.model_copy(update={key: battery_share * getattr(one, key) for key in keys}) for one in site.batteries
    )
    hourly = {"step_minutes": 60, "horizon_h": float(HORIZON_H), "replan_minutes": 60 * REPLAN_H}
    planning = site.planning.model_copy(update=hourly)
    made_up = site.synthetic.model_copy(update={"jobs_per_day": jobs_per_day})
    grid = site.grid.model_copy(update=line)
    return site.model_copy(update={"planning": planning, "synthetic": made_up, "grid": grid, "batteries": stores})


def main(argv: list[str] | None = None) -> int:
    """Print a line for each policy."""
    parser = argparse.ArgumentParser(description="Closed-loop cost and violations with and without a reserve.")
    parser.add_argument("--start", default="2026-01-05", help="first day (UTC)")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--policies", default=",".join(POLICIES), help=f"of {', '.join(POLICIES)}")
    parser.add_argument("--price", type=float, default=300.0, help="per MWh of reserve missing and hour")
    parser.add_argument("--jobs", type=int, default=16, help="made-up jobs a day (default: 16)")
    parser.add_argument("--grid", type=float, default=1.0, help="share of the sample's import limit and peak")
    parser.add_argument("--battery", type=float, default=1.0, help="share of the sample's battery")
    parser.add_argument("--limit", type=float, default=2.0, help="seconds for each solve (default: 2)")
    parser.add_argument("--out", type=Path, help="file for the figures (JSON), written after each policy")
    args = parser.parse_args(argv)
    if unknown := set(args.policies.split(",")) - set(POLICIES):
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(POLICIES)}", file=sys.stderr)
        return 2
    use_packaged_time_zones()
    world = World(
        sample(args.jobs, args.grid, args.battery), datetime.fromisoformat(args.start).replace(tzinfo=UTC), args.days
    )
    print(
        f"{args.start}, {args.days} days, reserve at {args.price:g} per MWh, {args.jobs} jobs a day, "
        f"{args.grid:g} of the line, {args.battery:g} of the battery"
    )
    print(
        f"{'policy':<17}{'cost':>11}{'energy':>11}{'peak':>9}{'wear':>8}{'work':>10}{'shed':>9}{'h shed':>8}{'MWh':>7}"
    )
    table = {}
    for name in args.policies.split(","):
        got = world.run(name, args.price, args.limit)
        print(
            f"{name:<17}{got.cost:>11,.0f}{got.energy:>11,.0f}{got.peak:>9,.0f}{got.wear:>8,.0f}{got.work:>10,.0f}"
            f"{got.shed:>9,.0f}{got.shed_hours:>4}/{got.hours}{got.shed_mwh:>7.2f}   "
            f"{got.without_plan} rounds without a plan, {got.seconds:.0f} s"
            + (f", {got.moved} of {got.hedged} choices moved, {got.promised:,.0f} promised" if got.hedged else ""),
            flush=True,
        )
        table[name] = {**dataclasses.asdict(got), "cost": got.cost}
        if args.out is not None:
            args.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
