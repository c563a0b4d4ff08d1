"""What of a plan Slurm has to know: the runs of its jobs, and what a slot costs and where its power comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.plan_store import Edition
from models.horizon import Horizon, parse_rfc3339


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which ``count`` copies of a job run."""

    start: datetime
    end: datetime
    speed: float
    count: int = 1

    def covers(self, moment: datetime) -> bool:
        """Whether it runs then."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class PlanView:
    """``runs`` by job id, in order; a job that the plan does not know has no entry. Series are one value a slot."""

    plan_id: str
    horizon: Horizon
    runs: Mapping[str, tuple[Run, ...]]
    price: Sequence[float] = field(default=())
    green: Sequence[float] = field(default=())
    """Share of the drawn power that sun and wind give."""

    def coming(self, job: str, now: datetime) -> tuple[Run, ...]:
        """Runs of a job that are not over."""
        return tuple(run for run in self.runs[job] if run.end > now)

    def means(self, start: datetime, hours: float) -> tuple[float, float] | None:
        """Mean price and share of sun and wind from ``start`` on; None outside the horizon."""
        first = max(0, (start - self.horizon.start) // self.horizon.step)
        last = min(self.horizon.slots, first + max(1, round(hours / self.horizon.step_h)))
        if first >= last or not self.price or not self.green:
            return None
        span = slice(first, last)
        return sum(self.price[span]) / (last - first), sum(self.green[span]) / (last - first)


def plan_view(edition: Edition) -> PlanView:
    """Of an edition as it is kept."""
    told, plan = edition["problem"]["horizon"], edition["plan"]
    horizon = Horizon(parse_rfc3339(told["start"]), timedelta(minutes=told.get("step_minutes", 15)), told["slots"])
    runs = {
        job["id"]: tuple(
            Run(parse_rfc3339(run["start"]), parse_rfc3339(run["end"]), run["speed"], run.get("count", 1))
            for run in job["runs"]
        )
        for job in plan["jobs"]
    }
    given, made = edition["problem"].get("series") or {}, plan.get("series") or {}
    price = given.get("import_price_per_mwh") or ()
    if isinstance(price, int | float):
        price = [price] * horizon.slots
    return PlanView(edition["plan_id"], horizon, runs, list(price), _green(made, horizon.slots))


def _green(made: Mapping[str, Sequence[float]], slots: int) -> list[float]:
    none = [0.0] * slots
    pv, wind, bought = (made.get(key) or none for key in ("pv_used_mw", "wind_used_mw", "import_mw"))
    return [(p + w) / (p + w + i) if p + w + i > 0 else 0.0 for p, w, i in zip(pv, wind, bought, strict=True)]
