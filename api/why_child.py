"""``python -m api.why_child PARENT TIME_LIMIT``: a question about a plan on standard input, its explanation on output.

A question is an object: ``problem`` and ``plan``, and of ``job``, ``slot`` (an instant; with it the plan's ``prices``),
``start`` (a what-if for ``job``) and ``other`` (another problem and plan to compare with; ``causes`` false: without
theirs) what is meant.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

from api.guard import die_with_parent
from models.errors import Fault, InvalidInput, NoPlanInTime
from models.horizon import parse_rfc3339, use_packaged_time_zones

_MOST_SOLVES = 7
"""A comparison solves for the first problem and each of five causes; one more is left for what is around."""


def main() -> None:
    """Answer once and leave."""
    die_with_parent(int(sys.argv[1]), signal.SIGKILL)
    os.nice(10)
    use_packaged_time_zones()
    answer = _answer(json.load(sys.stdin.buffer), float(sys.argv[2]))
    sys.stdout.write(json.dumps(answer, allow_nan=False))


def _answer(asked: dict[str, Any], time_limit_s: float) -> dict[str, Any]:
    from optimizer.rolling import SolverFault

    try:
        return {"explanation": _explained(asked, time_limit_s)}
    except InvalidInput as error:
        return {"what": error.what, "faults": [[f.pointer, f.code, f.message] for f in error.faults]}
    except NoPlanInTime as error:
        return {"time_limit_s": error.time_limit_s, "tried": list(error.tried)}
    except SolverFault as error:
        return {"fault": error.detail}


def _explained(asked: dict[str, Any], time_limit_s: float) -> dict[str, Any]:
    from optimizer.document import Plan, ReceivedProblem, parse_plan
    from optimizer.explain.changes import compare
    from optimizer.explain.contrast import what_if
    from optimizer.explain.overview import explain_job, explain_plan, explain_slot, to_json
    from optimizer.explain.seen import Seen
    from optimizer.explain.wish import told
    from optimizer.kept_prices import KeptPrices
    from optimizer.refusals import check_problem
    from optimizer.replay import Previous
    from optimizer.rolling import plan

    def seen_of(pair: dict[str, Any]) -> Seen:
        kept = None if pair.get("prices") is None else KeptPrices.from_json(pair["prices"])
        return Seen.of(check_problem(pair["problem"]), parse_plan(pair["plan"]), kept)

    def solver(limit_s: float) -> Any:
        def solve(received: ReceivedProblem, begin: Previous | None) -> Plan:
            return plan(received, time_limit_s=limit_s, previous=begin)

        return solve

    seen = seen_of(asked)
    job, slot = asked.get("job"), asked.get("slot")
    at = None if slot is None else seen.problem.horizon.slot(_moment(slot, "/slot"))
    if at is not None and not 0 <= at < seen.problem.slots:
        told_ = f"{slot} lies outside the plan's horizon [{seen.at(0)}, {seen.at(seen.problem.slots)})"
        raise InvalidInput("the question", [Fault("/slot", "outside", told_)])
    if "other" in asked:
        solve = solver(time_limit_s / _MOST_SOLVES) if asked.get("causes", True) else None
        sections = compare(seen, seen_of(asked["other"]), solve)
    elif "start" in asked:
        sections = told(what_if(seen, str(job), _moment(asked["start"], "/start"), solver(time_limit_s)))
    elif job is not None:
        sections = explain_job(seen, job, at)
    else:
        sections = explain_plan(seen) if at is None else explain_slot(seen, at)
    return to_json(seen, sections)


def _moment(text: str, pointer: str) -> datetime:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise InvalidInput("the question", [Fault(pointer, "time", str(error))]) from None


if __name__ == "__main__":
    main()
