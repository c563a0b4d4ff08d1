"""The whole table of what many jobs cost, by one command.

    python -m bench.scale [--only 100,500,half] [--seeds 1,2] [--out FILE] [--growth]

Each case runs in a process of its own on one core, so that its memory is its own; every plan is refereed.
GPU sites come from the generator beside the checkout with constants drawn from the seed; a gap is
(objective - bound) / max(1, |objective|) of the best plan and the best bound that stood at an instant of one
run. The table goes to standard output, what is running to standard error. ``--growth`` draws the chart of the
documentation from the same runs; ``--from FILE`` prints table and chart of an earlier ``--out`` again.

Exits 0 with the table, 1 where a run failed, a plan broke a rule or a bound lay above a known plan, 2 where an
input is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.growth import chart, draw, growth_points
from bench.half_gigawatt import make as half_gigawatt
from bench.scale_cases import (
    ASKED_GAP,
    BUILD_SIZE,
    CASES,
    GROWTH_GAP,
    QUICK,
    QUICK_BUILD_SIZE,
    QUICK_SIMPLE_SIZES,
    SIMPLE_GAP,
    SIMPLE_LIMIT_S,
    SIMPLE_SIZES,
    Case,
)
from bench.scale_peers import peer_rows
from bench.scale_sites import Missing, simple_day, site_day, unseen
from bench.scale_table import faults, first_plan_s, markdown, reached_s, rows_of

ROOT = Path(__file__).resolve().parents[1]
FIGURE = ROOT / "docs" / "figures" / "growth.svg"
Json = dict[str, Any]
PATIENCE_S = 300.0
"""Seconds beyond its limits that a case may take for starting, refereeing and re-dispatch."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    args = _arguments(argv)
    if args.stored is not None:
        document: Json = json.loads(args.stored.read_text(encoding="utf-8"))
    else:
        try:
            document = measure(args)
        except Missing as missing:
            print(f"cannot run: {missing}", file=sys.stderr)
            return 2
    if args.out is not None:
        args.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    rows = rows_of(QUICK if document["quick"] else CASES, document["results"])
    if args.peers is not None or any(result["key"].startswith("simple") for result in document["results"]):
        report = None if args.peers is None else json.loads(args.peers.read_text(encoding="utf-8"))
        rows += peer_rows(report)
    print(markdown(rows))
    print(conditions(document))
    if args.growth is not None:
        args.growth.parent.mkdir(parents=True, exist_ok=True)
        series = {"first plan": first_plan_s, f"gap of {100 * GROWTH_GAP:g} %": lambda t: reached_s(t, GROWTH_GAP)}
        args.growth.write_text(draw(chart(growth_points(document["results"], series))), encoding="utf-8")
        print(f"chart written to {args.growth}", file=sys.stderr)
    wrong = faults(document["results"])
    for sentence in wrong:
        print(f"WRONG  {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    keys = [*(case.key for case in CASES), "simple", "build"]
    parser = argparse.ArgumentParser(description="Print the table of what many jobs cost.")
    parser.add_argument("--only", default=",".join(keys), help=f"cases, by comma (default: {','.join(keys)})")
    parser.add_argument("--seeds", default="1,2", help="seeds of the days, by comma (default: 1,2)")
    parser.add_argument(
        "--constants",
        default="drawn",
        help="drawn: a site's constants from its seed; shared: the family's own; or a JSON file (default: drawn)",
    )
    parser.add_argument("--quick", action="store_true", help="tiny cases of a few seconds, to see that all of it works")
    parser.add_argument("--core", type=int, help="core that a case is held to (default: the last one we may use)")
    parser.add_argument("--no-pin", action="store_true", help="do not hold a case to one core")
    parser.add_argument("--out", type=Path, help="write all results as JSON")
    parser.add_argument("--from", dest="stored", type=Path, help="measure nothing: print an earlier --out again")
    parser.add_argument("--peers", type=Path, help="report of python -m bench.peers --out, whose goals join the table")
    parser.add_argument(
        "--growth", type=Path, nargs="?", const=FIGURE, help="draw the growth chart (default: docs/figures/growth.svg)"
    )
    args = parser.parse_args(argv)
    if args.core is not None and args.core not in os.sched_getaffinity(0):
        parser.error(f"--core {args.core} is not one of {sorted(os.sched_getaffinity(0))}, which we may use")
    args.keys = keys if args.quick else args.only.split(",")
    if unknown := sorted(set(args.keys) - set(keys)):
        parser.error(f"--only {','.join(unknown)}: write some of {','.join(keys)}")
    args.seed_list = [int(seed) for seed in args.seeds.split(",")]
    return args


def measure(args: argparse.Namespace) -> Json:
    """Run the cases that were asked for; raises :class:`Missing` before anything is run."""
    core = None if args.no_pin else max(os.sched_getaffinity(0)) if args.core is None else args.core
    requests = [{**request, "core": core} for request in _requests(args)]
    document: Json = {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": args.quick,
        "constants": args.constants,
        "core": core,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("highspy", "pyomo", "numpy")}
        | {"python": platform.python_version()},
        "results": [],
    }
    warm_up = {"key": "warm-up", "kind": "plan", "seed": 0, "limit_s": 3.0, "gap": 0.05, "core": core}
    warm_up["document"] = half_gigawatt(0, 0.01)
    print("warm-up, so that nothing is compiled while the clock runs", file=sys.stderr)
    run(warm_up)
    for number, request in enumerate(requests, start=1):
        print(f"{number}/{len(requests)}  {request['key']}, seed {request['seed']}", file=sys.stderr)
        document["results"].append(run(request))
        if args.out is not None:  # what was measured is kept when a later case is interrupted
            args.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def _requests(args: argparse.Namespace) -> Iterator[Json]:
    for case in QUICK if args.quick else CASES:
        if not args.quick and case.key not in args.keys:
            continue
        for seed in args.seed_list:
            constants = _constants(args.constants, seed)
            if case.jobs is None:
                document, constants = half_gigawatt(seed, case.share or 1.0), {}
            else:
                document = site_day(case.jobs, seed, constants)
            yield {
                "key": case.key,
                "kind": "plan",
                "jobs": case.jobs,
                "seed": seed,
                "constants": constants,
                "document": document,
                **_limits(case),
            }
    simple = QUICK_SIMPLE_SIZES if args.quick else SIMPLE_SIZES
    common = {"gap": SIMPLE_GAP, "limit_s": SIMPLE_LIMIT_S, "seed": 1}
    for jobs in simple if "simple" in args.keys else ():
        day = simple_day(jobs)
        yield {
            "key": f"simple {jobs}",
            "kind": "simple",
            "jobs": jobs,
            "best": day.best,
            "document": day.document,
            **common,
        }
    if "build" in args.keys:
        jobs = QUICK_BUILD_SIZE if args.quick else BUILD_SIZE
        yield {"key": "build", "kind": "build", "jobs": jobs, "document": simple_day(jobs).document, **common}


def _limits(case: Case) -> Json:
    return {
        "limit_s": case.limit_s,
        "gap": ASKED_GAP,
        "replan_s": None if case.replan is None else case.replan[0],
        "redispatch": case.cold_s is not None or case.warm_s is not None,
    }


def _constants(asked: str, seed: int) -> Json:
    if asked == "drawn":
        return unseen(seed)
    if asked == "shared":
        return {}
    found: Json = json.loads(Path(asked).read_text(encoding="utf-8"))
    return found


def run(request: Json) -> Json:
    """One case in a process of its own; the result repeats the request without its document."""
    told = {name: value for name, value in request.items() if name not in ("document", "kind", "redispatch")}
    command = [sys.executable, "-m", "bench.scale_run"]
    patience = PATIENCE_S + 4 * request["limit_s"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, check=False, cwd=ROOT, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return {**told, "trace": [], "error": f"no end after {patience:g} s"}
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {**told, "trace": [], "error": words[-1]}
    return {**told, **json.loads(done.stdout)}


def conditions(document: Json) -> str:
    """What the figures were measured on, in sentences for the documentation."""
    loads = [result["load"] for result in document["results"] if "load" in result]
    busy = f"{min(loads):.1f} to {max(loads):.1f}" if loads else "unknown"
    core = "no core of its own" if document["core"] is None else f"held to core {document['core']}"
    kinds = {"drawn": "constants drawn from the seed", "shared": "the family's own constants"}
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    return (
        f"\nMeasured from {document['begun']} on {document['cpu']} ({document['cores']} cores; solver, referee and "
        f"their start {core}; load average before each case {busy}); {versions}. GPU sites with "
        f"{kinds.get(document['constants'], document['constants'])}; seconds run from the document in memory to the "
        "plan that the referee has passed; memory is the peak of the solver's process and the referee's together."
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
