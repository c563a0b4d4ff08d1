"""A plan beside its problem, as arrays: what an explanation looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.errors import Fault, InvalidInput
from models.horizon import rfc3339
from optimizer.document import Job, Plan, PlanSeries, ReceivedProblem
from optimizer.energy_model import EnergyModel
from optimizer.explain.statement import Statement
from optimizer.kept_prices import KeptPrices
from optimizer.problem import Entry, Floats, Ints, Problem, compile_problem
from optimizer.replay import schedule_of
from optimizer.schedule import Schedule, in_pools
from optimizer.sessions import Pattern, runs_of, taken
from optimizer.verify import verify
from optimizer.ways import Way


@dataclass(frozen=True, eq=False)
class Seen:
    """A plan that the referee has passed, on its own problem, and the slot prices of its solve; powers in MW."""

    received: ReceivedProblem
    plan: Plan
    prices: KeptPrices | None = None

    @classmethod
    def of(cls, received: ReceivedProblem, plan: Plan, prices: KeptPrices | None = None) -> Seen:
        """A plan that may be explained.

        Raises:
            InvalidInput: the plan is of another problem, is none, or breaks a rule; nothing said about it would hold.
        """
        broken = verify(received, plan)
        if broken:
            raise InvalidInput("the plan", [Fault("", v.rule, v.sentence) for v in broken[:5]])
        if plan.series is None:
            raise InvalidInput("the plan", [Fault("/status", "infeasible", _none(plan))])
        return cls(received, plan, prices)

    @property
    def problem(self) -> Problem:
        """The problem as arrays, in its own unit."""
        return self._compiled

    @cached_property
    def _compiled(self) -> Problem:
        return compile_problem(self.received)

    @cached_property
    def energy(self) -> EnergyModel:
        """The energy side's program, compiled once for all that is planned anew."""
        return EnergyModel(self.problem)

    @property
    def series(self) -> PlanSeries:
        """The plan's series."""
        assert self.plan.series is not None
        return self.plan.series

    @cached_property
    def schedule(self) -> Schedule:
        """What every job does in every slot."""
        return schedule_of(self.problem, self.plan)

    @property
    def pattern(self) -> Pattern:
        """Copies of every job that are on, per slot."""
        return self.schedule.pattern

    @property
    def currency(self) -> str:
        """Of every price and term."""
        return self.received.document.site.currency

    @cached_property
    def starts(self) -> dict[str, list[Statement]]:
        """Reasons of starts that have been found (:func:`optimizer.explain.start.why_start`)."""
        return {}

    def entry(self, job_id: str) -> Entry:
        """A job of the problem.

        Raises:
            InvalidInput: there is no such job.
        """
        for entry in self.problem.entries:
            if entry.id == job_id:
                return entry
        few = ", ".join(e.id for e in self.problem.entries[:5])
        raise InvalidInput(
            "the question", [Fault("/job", "unknown", f"{job_id!r} is no job of the plan; some are: {few}")]
        )

    def job(self, job_id: str) -> Job:
        """A job's words in the document."""
        return next(job for job in self.received.document.jobs if job.id == job_id)

    def at(self, slot: int) -> str:
        """First instant of a slot as text."""
        return rfc3339(self.problem.horizon.at(slot))

    def way(self, e: Entry, slot: int) -> Entry | Way:
        """In which of its ways a job runs in a slot; the first where it is off."""
        return next((way for way, on in taken(e, self.pattern) if on[slot]), e.options[0])

    def sessions(self, job_id: str) -> list[tuple[int, int]]:
        """Half-open slot ranges in which a job is on."""
        return runs_of(self.pattern[job_id])

    @cached_property
    def imported(self) -> Floats:
        """MW bought, per slot."""
        return np.array(self.series.import_mw)

    @cached_property
    def own(self) -> Floats:
        """MW of sun and wind that are used or sold, per slot."""
        used: Floats = np.array(self.series.pv_used_mw) + np.array(self.series.wind_used_mw)
        return used

    @cached_property
    def gpus(self) -> Ints:
        """GPUs in use, ``[pool, slot]``."""
        return in_pools(self.problem, self.schedule)[0].astype(np.int64)

    @cached_property
    def pool_mw(self) -> Floats:
        """IT power of each pool, idle GPUs included, ``[pool, slot]``."""
        scaled: Floats = in_pools(self.problem, self.schedule)[1] * self.problem.unit_mw
        return scaled

    @property
    def peak_mw(self) -> float:
        """Highest import."""
        return float(self.imported.max())

    @property
    def carbon_kg(self) -> float:
        """Emitted for what is bought and by generating sets."""
        told, h = self.received.document.series.carbon_kg_per_mwh, self.problem.step_h
        bought = 0.0 if told is None else h * float(np.array(told) @ self.imported)
        given = self.series.generator_mw
        sets = self.received.document.generators
        return bought + h * sum(g.carbon_kg_per_mwh * sum(given[g.name]) for g in sets)

    @property
    def money(self) -> float:
        """The plan's objective."""
        assert self.plan.objective is not None
        return self.plan.objective


def _none(plan: Plan) -> str:
    return "it says that there is no plan: " + ("; ".join(plan.conflicts) or "no reason is given")
