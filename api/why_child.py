"""``python -m api.why_child PARENT TIME_LIMIT``: a question about a plan on standard input, its explanation on output.

What comes in is an object: ``question`` (:class:`api.question.Question`), ``edition`` (``problem``, ``plan`` and
``prices`` of the plan that is meant), and ``other`` (the same of the plan that it is compared with, or null).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from api.guard import die_with_parent
from api.question import Question
from models.errors import InvalidInput, NoPlanInTime
from models.horizon import use_packaged_time_zones


def main() -> None:
    """Answer once and leave."""
    die_with_parent(int(sys.argv[1]), signal.SIGKILL)
    os.nice(10)
    use_packaged_time_zones()
    answer = _answer(json.load(sys.stdin.buffer), float(sys.argv[2]))
    sys.stdout.write(json.dumps(answer, allow_nan=False))


def _answer(asked: dict[str, Any], time_limit_s: float) -> dict[str, Any]:
    from api.reasons import explained, seen_of
    from optimizer.rolling import SolverFault

    try:
        question, seen = Question(**asked["question"]), seen_of(asked["edition"])
        return {"explanation": explained(seen, question, time_limit_s, asked["other"])}
    except InvalidInput as error:
        return {"what": error.what, "faults": [[f.pointer, f.code, f.message] for f in error.faults]}
    except NoPlanInTime as error:
        return {"time_limit_s": error.time_limit_s, "tried": list(error.tried)}
    except SolverFault as error:
        return {"fault": error.detail}


if __name__ == "__main__":
    main()
