"""``python -m api.solve_child PARENT TIME_LIMIT``: a problem on standard input, a plan or the reason on output."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from api.guard import die_with_parent
from models.errors import InvalidInput, NoPlanInTime
from models.horizon import use_packaged_time_zones


def main() -> None:
    """Solve once and leave."""
    die_with_parent(int(sys.argv[1]), signal.SIGKILL)
    os.nice(10)
    use_packaged_time_zones()
    answer = _answer(sys.stdin.buffer.read(), float(sys.argv[2]))
    sys.stdout.write(json.dumps(answer, allow_nan=False))


def _answer(body: bytes, time_limit_s: float) -> dict[str, Any]:
    from optimizer.document import dump_plan
    from optimizer.refusals import read_problem
    from optimizer.rolling import SolverFault, plan

    try:
        return {"plan": dump_plan(plan(read_problem(body), time_limit_s=time_limit_s))}
    except InvalidInput as error:
        return {"faults": [[fault.pointer, fault.code, fault.message] for fault in error.faults]}
    except NoPlanInTime as error:
        return {"time_limit_s": error.time_limit_s, "tried": list(error.tried)}
    except SolverFault as error:
        return {"fault": error.detail}


if __name__ == "__main__":
    main()
