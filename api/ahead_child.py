"""``python -m api.ahead_child SETTINGS PARENT PLAN``: explains a published plan before anybody asks, answer by answer.

It may be killed at any moment: what was told by then is kept, and the rest is found when it is asked for.
"""

from __future__ import annotations

import os
import signal
import sys

from api import logs
from api.guard import die_with_parent
from api.settings import Settings
from models.horizon import use_packaged_time_zones

_LOWEST = 19
"""Niceness: nobody waits for this, and the machine also serves, plans and solves."""


def main() -> None:
    """Tell all that will be asked and leave."""
    settings, plan_id = Settings.from_json(sys.argv[1]), sys.argv[3]
    die_with_parent(int(sys.argv[2]), signal.SIGKILL)
    os.nice(_LOWEST)
    use_packaged_time_zones()
    logs.configure("ahead")
    from api.question import Question
    from api.reasons import ahead, seen_of
    from api.wiring import explanations_of

    plans, kept = explanations_of(settings)
    if kept.get(plan_id, Question()) is not None:
        return  # the overview is told last, so that all is told
    told = 0
    for question, answer in ahead(seen_of(plans.edition(plan_id))):
        kept.keep(plan_id, question, answer)
        told += 1
    logs.get("ahead").info("explained", plan_id=plan_id, answers=told)


if __name__ == "__main__":
    main()
