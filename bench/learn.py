"""What the learned models of GPUs, cooling and jobs are worth on real data, beside baselines, goals and anchors.

    python -m bench.learn [--only gpu,cooling,jobs]

Needs the research data beside the checkout and says so where it is missing (exit 2). What closed-loop planning makes of
the run times is `python -m bench.learn_jobs_loop`, which takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench import learn_cooling, learn_gpu, learn_jobs
from bench.real_inputs import Missing


def gpu() -> None:
    """Curves of the A100 sweep."""
    jobs = learn_gpu.distinct_jobs()
    print(f"GPU curves: {len(jobs)} distinct jobs of Emerald's sweep, A100-SXM 400 W, errors of speed over true speed")
    print(f"  {'':<42}{'mean':>8}{'worst 250-350 W':>17}{'worst':>8}{'90 % band holds':>17}")
    for name, score in (
        ("one limit left out (goal 1.5 %; 2 %)", learn_gpu.leave_one_limit_out(jobs)),
        ("  a straight line through two neighbours", learn_gpu.straight_line(jobs)),
        ("one job left out", learn_gpu.leave_one_job_out(jobs)),
        ("  mean of the other jobs at each limit", learn_gpu.mean_of_others(jobs)),
    ):
        cover = "" if score.cover != score.cover else f"{score.cover:.0%}"
        print(f"  {name:<42}{score.mean:>8.2%}{score.worst_upper:>17.2%}{score.worst:>8.1%}{cover:>17}")


def cooling() -> None:
    """The recorded chiller's last quarter."""
    plant = learn_cooling.read_plant()
    print("Chiller in Singapore, last quarter of 8 months of half hours, learned from what is before")
    print(f"  {'':<58}{'MAE kW':>8}{'MAPE':>8}")
    rows = (
        ("load and wet bulb (goal 7 %; prototype 15.3 kW, 6.9 %)", learn_cooling.known_load(plant)),
        ("  with the drift of the last 7 days", learn_cooling.known_load(plant, days=7)),
        ("load and condenser water (goal 3.5 %; 8.0 kW, 3.3 %)", learn_cooling.known_load(plant, "condenser_c")),
        ("  one COP for all", learn_cooling.constant_cop(plant)),
        ("  a straight line over the load", learn_cooling.straight_line(plant)),
    )
    for name, error in rows:
        print(f"  {name:<58}{error.mae_kw:>8.1f}{error.mape:>8.1%}")
    ahead = learn_cooling.day_ahead(plant)
    for name, error in (
        (f"day-ahead power, {ahead.days} days: forecast heat, learned COP", ahead.ours),
        ("  yesterday's power (goal: better)", ahead.persistence),
        ("day-ahead heat", ahead.heat),
        ("  yesterday's heat", ahead.heat_persistence),
    ):
        print(f"  {name:<58}{error.mae_kw:>8.1f}{error.mape:>8.1%}")
    worst, share = learn_cooling.tangent_error(plant)
    print(f"  four straight pieces leave at most {worst * 1000:.0f} kW, {share:.1%} of the power at the highest heat")


def jobs() -> None:
    """Run times of the GAIA year."""
    print(f"Run times: GAIA's year, {learn_jobs.SCORED_DAYS} days after 60 % of it; time limits are made up")
    print(f"  {'':<30}{'pinball':>9}{'P10-P90 holds':>15}{'middle off by':>15}{'hours / true':>14}")
    for name, score in learn_jobs.scores(learn_jobs.gaia_jobs()).items():
        print(f"  {name:<30}{score.pinball:>9.4f}{score.cover:>15.1%}{score.factor:>14.2f}x{score.over:>14.2f}")


def main(argv: list[str] | None = None) -> int:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description="Learned GPUs, cooling and jobs on real data, beside baselines.")
    parser.add_argument("--only", default="gpu,cooling,jobs", help="of gpu, cooling, jobs (default: all)")
    args = parser.parse_args(argv)
    parts = {"gpu": gpu, "cooling": cooling, "jobs": jobs}
    for name in args.only.split(","):
        began = time.process_time()
        try:
            parts[name]()
        except Missing as missing:
            print(f"cannot run: {missing}", file=sys.stderr)
            return 2
        print(f"  ({time.process_time() - began:.0f} s of CPU)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
