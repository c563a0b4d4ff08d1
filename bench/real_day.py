"""One day of real input, planned, refereed and priced against first come, first served.

    python -m bench.real_day [--site dakhla] [--out DIR]

Weather: hours of pvlib's TMY3 file (Greensboro). Jobs: the busiest day of GAIA's year, its largest jobs,
scaled to the site. Cap curves: Emerald's measured A100s. Base load: the daily shape of Helios' GPU
occupancy. Site, tariff, battery and cooling: the sample site's file, moved to where the weather is from.
Exits 0 with a refereed plan, 1 where the referee finds a violation, 2 where an input is missing, 4 where
no plan was found in time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import real_inputs
from bench.serve_day import serve
from ingest.site_file import find_site, read_site
from ingest.sources.outlook.typical_year import read_tmy3
from ingest.sources.outlook.weather import weather_for
from models.errors import NoPlanInTime
from models.forecast.site import forecast_site
from models.horizon import Horizon, use_packaged_time_zones
from models.jobs import TrainingJob
from models.site import Site, WeatherSource
from optimizer.baselines import first_come_first_served
from optimizer.compose import Availability, assumed_state, compose
from optimizer.document import Plan, dump_plan
from optimizer.refusals import check_problem
from optimizer.rolling import plan as make_plan
from optimizer.verify import verify

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Day:
    """The problem document and what it was made of."""

    site: Site
    horizon: Horizon
    jobs: list[TrainingJob]
    document: dict[str, Any]
    inputs: list[str]


def build_day(site_name: str, date: datetime, job_count: int, utilisation: float, hours: int) -> Day:
    """Compose the day from the real inputs.

    Raises:
        real_inputs.Missing: a real input is not there.
    """
    data = real_inputs.shared_data()
    tmy3 = real_inputs.tmy3_file()
    year = read_tmy3(tmy3)
    model = real_inputs.measured_a100(data)
    queue = real_inputs.busiest_gaia_day(data, job_count)
    shape = real_inputs.helios_day_shape(data)

    sample = read_site(find_site(site_name))
    offset_h = round(year.utc_offset / timedelta(hours=1))
    moved = sample.model_copy(
        update={
            "latitude_deg": year.place.latitude_deg,
            "longitude_deg": year.place.longitude_deg,
            "altitude_m": year.place.altitude_m,
            "timezone": f"Etc/GMT{-offset_h:+d}",  # POSIX counts west positive
            "weather": WeatherSource(kind="tmy3", path=str(tmy3)),
            "base_load": sample.base_load.model_copy(update={"by_hour": tuple(shape)}),
        }
    )
    site = real_inputs.with_a100(moved, model)
    midnight = datetime(date.year, date.month, date.day, tzinfo=site.zone).astimezone(UTC)
    horizon = Horizon(midnight, QUARTER, hours * 4)
    weather, note = weather_for(site, horizon, midnight)
    forecast = forecast_site(site, horizon, weather, midnight)
    pv, wind = forecast["pv_available_mw"].p50, forecast["wind_available_mw"].p50
    jobs = real_inputs.jobs_of(site, queue, midnight, utilisation)
    availability = Availability(
        pv_mw=[float(v) for v in pv],
        wind_mw=[float(v) for v in wind],
        dry_bulb_c=[float(v) for v in forecast["dry_bulb_c"].values],
        wet_bulb_c=[float(v) for v in forecast["wet_bulb_c"].values],
    )
    document = compose(site, horizon, availability, jobs, assumed_state(site), f"real-day-{date:%m%d}-gaia-{queue.day}")
    gpu_hours = sum(job.gpus * job.work_h for job in jobs)
    asked = sum(job.gpus * min(job.work_h, 24.0) for job in jobs) / (24.0 * sum(pool.gpus for pool in site.pools))
    inputs = [
        f"weather   {note.source}: pvlib/data/{tmy3.name} mapped to {date:%d %B} ({note.method}); "
        f"PV {pv.sum() * horizon.step_h:.1f} MWh, wind {wind.sum() * horizon.step_h:.1f} MWh in {hours} h (p50)",
        f"jobs      GAIA year of Alibaba PAI 2020 (jobs/gaia_pai_100k_year.csv), day {queue.day}: "
        f"{len(queue.rows)} largest of {queue.jobs_that_day} jobs, {queue.share_kept:.1%} of that day's unit-hours, "
        f"scaled to {gpu_hours:,.0f} GPU-h (their first 24 h: {asked:.0%} of the site's GPU-h)",
        f"curves    {model.curves[0].source}; {', '.join(curve.workload for curve in model.curves)}, measured",
        "base load daily shape of Helios Earth/VCS, May 2020 (jobs/helios_earth_vcs_hourly_may2020.csv), "
        f"mean {site.base_load.mean_mw:g} MW of the site file",
        f"site      {site_name}, moved to {year.place.latitude_deg:g}, {year.place.longitude_deg:g}: tariff, grid, "
        "battery, cooling, PV and wind plant as in its file (assumed there); "
        f"{sum(pool.gpus for pool in site.pools):,} GPUs of the same nameplate power",
        "assumed   one factor turns units into GPUs, whole nodes above one; workload class by length; deadlines by "
        "GAIA's waits",
    ]
    return Day(site, horizon, jobs, document, inputs)


def main(argv: list[str] | None = None) -> int:
    """Plan the day and print what it costs."""
    parser = argparse.ArgumentParser(description="Plan one day of real input and print its gap and its saving.")
    parser.add_argument("--site", default="dakhla", help="sample site or site file (default: dakhla)")
    parser.add_argument("--date", default="2026-06-25", help="date that the typical year is mapped to")
    parser.add_argument("--jobs", type=int, default=60, help="jobs kept, the largest first (default: 60)")
    parser.add_argument("--utilisation", type=float, default=0.65, help="GPU-hours asked of a day's (default: 0.65)")
    parser.add_argument("--hours", type=int, default=36, help="length of the horizon (default: 36)")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for the solver (default: 60)")
    parser.add_argument("--gap", type=float, default=0.01, help="relative gap asked (default: 0.01)")
    parser.add_argument("--out", type=Path, help="folder for problem.json, plan.json and baseline.json")
    parser.add_argument("--serve", type=int, metavar="PORT", help="plan as the service does and show it on this port")
    args = parser.parse_args(argv)
    use_packaged_time_zones()
    try:
        date = datetime.fromisoformat(args.date)
        day = build_day(args.site, date, args.jobs, args.utilisation, args.hours)
    except real_inputs.Missing as missing:
        print(f"cannot run: {missing}", file=sys.stderr)
        return 2
    print("Inputs of this day")
    for line in day.inputs:
        print(f"  {line}")
    if args.serve is not None:
        serve(day.site, args.site, day.jobs, day.horizon.start, args.time_limit, args.serve)
        return 0
    return solve_and_tell(day, args.gap, args.time_limit, args.out)


def solve_and_tell(day: Day, gap: float, time_limit_s: float, out: Path | None) -> int:
    """Plan, referee, compare; returns the exit status."""
    problem = check_problem(day.document)
    began = time.perf_counter()
    try:
        plan = make_plan(problem, gap=gap, time_limit_s=time_limit_s)
    except NoPlanInTime as error:
        print(f"no plan: {error}", file=sys.stderr)
        return 4
    took = time.perf_counter() - began
    violations = verify(problem, plan)
    baseline = first_come_first_served(problem)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        files = {"problem": day.document, "plan": dump_plan(plan)}
        if baseline is not None:
            files["baseline"] = dump_plan(baseline)
        for name, content in files.items():
            (out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    currency = day.site.currency
    print(f"Plan    {plan.status} after {took:.1f} s; {len(day.jobs)} jobs x {day.horizon.slots} slots")
    if plan.objective is None:
        print("\n".join(plan.conflicts))
        return 4
    shown = "not known yet" if plan.gap is None else f"{plan.gap:.2%}"
    print(f"  cost    {plan.objective:,.0f} {currency}, proven gap {shown}")
    print(f"  referee {'no violation' if not violations else f'{len(violations)} violation(s)'}")
    for violation in violations:
        print(f"    {violation.sentence}")
    if baseline is None or baseline.objective is None:
        print("Saving  not stated: first come, first served finds no plan that keeps every limit on this day")
    else:
        print_saving(day, plan, baseline, len(verify(problem, baseline)))
    return 1 if violations else 0


def print_saving(day: Day, plan: Plan, baseline: Plan, baseline_violations: int) -> None:
    """Both plans term by term, and the saving split into money paid, prices of unmet or late work, and work's worth.

    The split is the point: where the yardstick leaves due work undone, most of a "saving" is the price that the
    site file *assumes* for that, not money.
    """
    ours, theirs = (_terms(document) for document in (plan, baseline))
    unit = day.site.currency
    print(f"  {'term, ' + unit:<26}{'plan':>14}{'first come':>14}")
    for name in ours:
        if round(ours[name]) or round(theirs[name]):
            print(f"  {name:<26}{ours[name]:>14,.0f}{theirs[name]:>14,.0f}")
    print(f"  {'GPU-hours worked':<26}{_gpu_hours(day, plan):>14,.0f}{_gpu_hours(day, baseline):>14,.0f}")
    total = (baseline.objective or 0.0) - (plan.objective or 0.0)
    share = total / max(1.0, abs(baseline.objective or 0.0))
    penalty = sum(theirs[name] - ours[name] for name in _PENALTIES)
    worth = theirs["work_value"] - ours["work_value"]
    paid = total - penalty - worth
    paid_before = sum(value for name, value in theirs.items() if name not in (*_PENALTIES, "work_value"))
    print(f"Saving  {total:,.0f} {unit} ({share:.1%} of the objective) against first come, first served, of which")
    print(f"    {paid:>14,.0f}  money paid for energy, peak and wear ({paid / max(1.0, abs(paid_before)):.1%} of it)")
    print(f"    {penalty:>14,.0f}  assumed prices of work left undone or late")
    print(f"    {worth:>14,.0f}  assumed worth of more work on jobs due after the horizon")
    print(f"  one typical day and queue, known in advance; the yardstick has {baseline_violations} violation(s)")


_PENALTIES = ("unmet", "late")


def _terms(plan: Plan) -> dict[str, float]:
    found: dict[str, float] = dump_plan(plan)["terms"]
    return found


def _gpu_hours(day: Day, plan: Plan) -> float:
    gpus = {job.id: job.gpus for job in day.jobs}
    return sum(job.work_done_h * gpus[job.id] for job in plan.jobs)


if __name__ == "__main__":
    sys.exit(main())
