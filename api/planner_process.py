"""``python -m api.planner_process SETTINGS PARENT``: plans at every slot and whenever somebody asks.

Asking is coalesced: what came in while a round ran is answered by the next one. A round that fails is logged and
counted, and the last plan stays. The sign of life is given by a thread of its own, because a solve takes longer than
a short lease, but only while the round keeps its time: a planner that hangs falls silent, and its leases lapse.
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import time
from datetime import datetime, timedelta

from api import logs
from api.background import Background
from api.desk import Desk
from api.guard import die_with_parent
from api.plan_store import Cycle, PlanStore
from api.settings import Settings
from api.sign_of_life import SignOfLife
from ingest.ports import Clock
from models.horizon import use_packaged_time_zones
from models.site import Site

_LOOK_S = 0.3
_SIGN_S = 0.5
_RETRY_S = 20.0
_OVERDUE = timedelta(seconds=120)
_GOOD_GAP = 0.05
"""A first plan with a wider gap, or none, is followed by another round at once."""
_log = logs.get("planner")


class Heart:
    """Gives the sign of life while the work keeps its time."""

    def __init__(self, sign: SignOfLife, parent_gone: threading.Event) -> None:
        self._sign = sign
        self._stop = parent_gone
        self._until = float("inf")

    def busy_for(self, seconds: float) -> None:
        """What comes now takes at most this long; beyond it the heart stops."""
        self._until = time.monotonic() + seconds

    def at_rest(self) -> None:
        """Nothing is going on that could hang."""
        self._until = float("inf")

    def beat(self) -> None:
        """Until the process ends."""
        while not self._stop.wait(_SIGN_S):
            if time.monotonic() <= self._until:
                self._sign.give()


class Loop:
    """When to plan: at the first moment, at each re-planning time, when asked, and again after a failure."""

    def __init__(
        self, desk: Desk, plans: PlanStore, site: Site, clock: Clock, heart: Heart, background: Background
    ) -> None:
        self._desk = desk
        self._background = background
        self._plans = plans
        self._clock = clock
        self._heart = heart
        self._every = timedelta(minutes=site.planning.replan_minutes)
        self._budget_s = site.planning.time_limit_s * 4 + _OVERDUE.total_seconds()
        self._planned_for: datetime | None = None
        self._retry_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            if self._due():
                self.once()
            self._background.look()
            stop.wait(_LOOK_S)

    def _due(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        wanted, answered = self._plans.wanted()
        return wanted > answered or self._planned_for != self._slot()

    def _slot(self) -> datetime:
        now = self._clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + (now - midnight) // self._every * self._every

    def once(self) -> None:
        """One round; a failure is logged and counted, and the last plan stays in force."""
        started, begun = self._clock.now(), time.monotonic()
        slot, first = self._slot(), self._plans.now().plan_id is None
        self._background.stop()
        self._heart.busy_for(self._budget_s)
        try:
            edition = self._desk.round()
        except Exception as error:
            self._retry_at = time.monotonic() + _RETRY_S
            _log.exception("cycle_failed")
            told = Cycle(started, time.monotonic() - begun, "failed", reason=f"{type(error).__name__}: {error}"[:2000])
        else:
            plan = edition["plan"]
            hasty = first and plan["status"] != "infeasible" and (plan["gap"] is None or plan["gap"] > _GOOD_GAP)
            self._planned_for = None if hasty else slot
            told = Cycle(started, time.monotonic() - begun, "published", plan["rung"], plan["gap"])
            _log.info(
                "published",
                plan_id=edition["plan_id"],
                rung=plan["rung"],
                gap=plan["gap"],
                objective=plan["objective"],
                seconds=round(told.seconds, 2),
            )
            if plan["objective"] is not None:
                self._background.after(edition["plan_id"])
        self._plans.note_cycle(told)
        self._heart.at_rest()


def main() -> None:
    """Plan until told to stop."""
    settings = Settings.from_json(sys.argv[1])
    die_with_parent(int(sys.argv[2]))
    use_packaged_time_zones()
    logs.configure("planner")
    from api.wiring import desk_for, sign_of

    stop = threading.Event()

    def leave(*_: object) -> None:
        stop.set()
        raise SystemExit(0)  # also out of a solve, whose child is killed on the way

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    desk, plans, site, clock = desk_for(settings)
    heart = Heart(sign_of(settings, "planner"), stop)
    threading.Thread(target=heart.beat, name="sign of life", daemon=True).start()
    loop = Loop(desk, plans, site, clock, heart, Background(settings))
    for heavy in ("api.planner", "api.pages.render"):
        importlib.import_module(heavy)  # before the clock of the first round runs
    loop.once()
    bundle_charts(settings)  # after the first plan, which people wait for
    loop.run(stop)


def bundle_charts(settings: Settings) -> None:
    """Write the script of the interactive charts beside the data where the set-up has not done it."""
    from api.pages import bundle

    if bundle.script_path().is_file():
        return
    try:
        bundle.build(settings.data_dir / "charts")
    except OSError:
        _log.exception("chart_script_not_written")


if __name__ == "__main__":
    main()
