"""Forecasts beside their baselines and the published anchors, rolling as in the sources.

    python -m bench.forecasts                         # everything; some 40 minutes on two idle cores
    python -m bench.forecasts --only solar,sites      # some parts: solar, wind, sites, load, states
    python -m bench.forecasts --only wind --tasks 5,8 # some of the contest's tasks, anchors over the same ones
    python -m bench.forecasts --keep FOLDER           # taken up again where it stopped; another code, another folder
    python -m bench.forecasts --quick                 # the cheapest task of each, to see that all of it works

Solar and wind are GEFCom2014 (Hong et al. 2016), each twice: as the contest allowed it, and service-legal, where no
feature looks across the edge of a weather run and a wind farm sees only its own weather. Exits 2 where the data is
missing, 1 where a quantile crosses, leaves 0 to 1, or a night is not exactly 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import real_inputs
from bench.forecasts_gefcom import Track, run
from bench.forecasts_sites import SITES, load_scores, site_score
from bench.forecasts_states import StateScore, real_plants, state_scores
from models.forecast.reliability import reliability
from models.horizon import use_packaged_time_zones

TASKS = {"solar": list(range(4, 16)), "wind": list(range(4, 15))}
GOALS = {("solar", False): 0.0118, ("solar", True): 0.0121, ("wind", False): 0.0372, ("wind", True): None}
PARTS = ("solar", "wind", "sites", "load", "states")


def main(argv: list[str] | None = None) -> int:
    """Print the figures as they come."""
    parser = argparse.ArgumentParser(description="Score the forecasts beside baselines and published anchors.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {', '.join(PARTS)}")
    parser.add_argument("--tasks", help="tasks of the contest (default: all that count)")
    parser.add_argument("--rules", choices=("both", "contest", "service"), default="both", help="which features")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--keep", type=Path, help="folder that keeps each fit, to go on where a run stopped")
    parser.add_argument("--quick", action="store_true", help="one task of each track, one site")
    args = parser.parse_args(argv)
    use_packaged_time_zones()
    try:
        data = real_inputs.shared_data() / "forecast"
    except real_inputs.Missing as missing:
        print(f"cannot run: {missing}", file=sys.stderr)
        return 2
    parts = args.only.split(",")
    if unknown := set(parts) - set(PARTS):
        print(f"unknown part(s): {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    wrong = 0
    for part in parts:
        if part in TASKS:
            tasks = [int(k) for k in args.tasks.split(",")] if args.tasks else TASKS[part][: 1 if args.quick else None]
            for service in {"both": (False, True), "contest": (False,), "service": (True,)}[args.rules]:
                began = time.perf_counter()
                track = run(data, part, service, tasks, args.workers, args.keep)
                print("\n".join(_told(track, service, time.perf_counter() - began)), flush=True)
                wrong += track.crossing + track.outside + track.night_not_zero
        elif part == "sites":
            for site, kind in SITES[: 1 if args.quick else None]:
                score = site_score(data, site, kind)
                better = 1 - score.learned / score.climatology
                goal = 0.40 if kind == "solar" else 0.25
                print(
                    f"{score.name}: pinball {score.learned:.4f} of the highest power, hour-of-day climatology "
                    f"{score.climatology:.4f}: {better:.0%} better (goal {goal:.0%}); P5 to P95 covers "
                    f"{score.reliability.cover:.2f}; {score.scored_days} days scored in training, unproven",
                    flush=True,
                )
        elif part == "states":
            print("Slow states of PV, a day ahead: mean absolute error, share of the highest power, awake hours, by")
            print("physics alone, in the state where it serves, by physics times the best one factor of hindsight")
            for plant in real_plants(data, args.quick):
                print(plant.name)
                for state in state_scores(plant):
                    print(_state_told(state), flush=True)
        else:
            for one in load_scores(data):
                print(
                    f"GPU cluster load, {one.part}, {one.hours} h: MAE {one.mae:.4f} of installed, 48 h persistence "
                    f"{one.persistence:.4f}: {1 - one.mae / one.persistence:.1%} better (goal 15 %); P5 to P95 covers "
                    f"{one.reliability.cover:.2f} (goal 0.85)",
                    flush=True,
                )
    return 1 if wrong else 0


def _state_told(score: StateScore) -> str:
    alone = f", in which {score.served_physics:.4f} and {score.served_state:.4f}" if score.served else ""
    return (
        f"  {score.outcome}, {score.issues} days: {score.physics:.4f}, {score.in_state:.4f}, {score.scaled:.4f}; "
        f"served on {score.served:.0%} of days{alone}"
    )


def _told(track: Track, service: bool, seconds: float) -> Iterator[str]:
    goal = GOALS[track.name, service]
    rules = "service-legal features" if service else "the contest's rules"
    tasks = ", ".join(str(task) for task in track.by_task)
    yield f"GEFCom2014 {track.name}, {rules}, tasks {tasks} ({seconds:.0f} s)"
    yield f"  pinball {track.score:.5f}" + ("" if goal is None else f" (goal over all tasks {goal})")
    yield f"  before calibration {track.uncalibrated:.5f}; climatology by hour {track.climatology:.5f}"
    yield "  published, same tasks: " + ", ".join(f"{name} {value:.5f}" for name, value in track.anchors.items())
    yield "  by task: " + ", ".join(f"{task} {value:.5f}" for task, value in track.by_task.items())
    found = reliability(track.placed)
    yield (
        f"  P5 to P95 covers {found.cover:.3f} (below {found.below_p5:.3f}, above {found.above_p95:.3f}); mean decile "
        f"error {found.decile_error:.3f}; crossing {track.crossing}, outside 0 to 1 {track.outside}, nights not 0 "
        f"{track.night_not_zero}"
    )


if __name__ == "__main__":
    sys.exit(main())
