"""Our entry in the comparison: ``python solve_chergui.py INSTANCE.json --gap 1e-3 --limit 60 [--out plan.json]``.

The same command line and the same RESULT line as the peers' scripts. The instance becomes a problem
document by ``shared/peers/to_problem.py``, the plan comes through :func:`optimizer.rolling.plan`, and
the checker of ``shared/peers/scripts/common.py`` scores it, which knows nothing of us.

``import_s``: our imports in this process. ``build_s``: instance to checked problem. ``solve_s``: the
plan's own clock, from the compiled problem to the last find in the child: first plan, model, transfer,
HiGHS, re-dispatch. ``door_s`` is what the door takes around that: the child's start and imports, the
referee on every find, the child's end. ``--variant inside`` solves in this process instead and splits
``solve_s`` (see :mod:`bench.peers.inside`).
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()
ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # our packages, not this folder's neighbours

from bench.peers import shared  # noqa: E402
from optimizer.document import Plan, parse_problem  # noqa: E402
from optimizer.refusals import check_problem  # noqa: E402
from optimizer.rolling import plan as make_plan  # noqa: E402


def schedule(instance: dict[str, Any], plan: Plan) -> tuple[dict[str, list[float]], list[float], list[float]]:
    """Power of every job in every step as a share of its own, and the battery's charge and discharge in MW."""
    assert plan.series is not None
    steps, length = instance["horizon_steps"], timedelta(hours=instance["step_hours"])
    first = parse_problem(shared.load(shared.FOLDER / "to_problem.py").convert(instance)).document.horizon.start
    powers = {job["id"]: job["power_mw"] for job in instance["jobs"]}
    shares = {name: [0.0] * steps for name in powers}
    for job in plan.jobs:
        for run in job.runs:
            for step in range(round((run.start - first) / length), round((run.end - first) / length)):
                shares[job.id][step] += run.count * run.power_mw / powers[job.id]
    (charge,) = plan.series.charge_mw.values()
    (discharge,) = plan.series.discharge_mw.values()
    return shares, charge, discharge


def main() -> int:
    """Solve one instance and print its RESULT line."""
    common = shared.load(shared.FOLDER / "scripts" / "common.py")
    args = common.args()
    instance = common.load(args.instance)
    imported = time.perf_counter()
    received = check_problem(shared.load(shared.FOLDER / "to_problem.py").convert(instance))
    built = time.perf_counter()
    extra: dict[str, Any] = {}
    if args.variant == "inside":
        from bench.peers.inside import solve_inside

        plan, extra["split"] = solve_inside(received, args.gap, args.limit, args.threads)
    else:
        plan = make_plan(received, gap=args.gap, time_limit_s=args.limit, threads=args.threads)
        extra["door_s"] = round(time.perf_counter() - built - plan.solve_seconds, 4)
    found = () if plan.series is None else schedule(instance, plan)
    common.finish(
        args,
        instance,
        "chergui" + (f"-{args.variant}" if args.variant else ""),
        plan.objective,
        plan.bound,
        built - imported,
        plan.solve_seconds,
        imported - BEGAN,
        f"{plan.status} ({plan.rung})",
        *found,
        note="solve: first plan, model, transfer, HiGHS, re-dispatch in the child; see door_s for what is around it",
        extra=extra,
    )
    return 0 if found else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except shared.Missing as missing:
        print(f"cannot run: {missing}", file=sys.stderr)
        sys.exit(2)
