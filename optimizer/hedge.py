"""Here-and-now starts: of several plans' starts those that cost least on average over courses of sun, wind and load.

Starts come from what the solve found on its way, from plans for a lean sky and for single courses, and from one that
keeps no headroom where the site prices it. Each is weighed by the recourse that it leaves (:mod:`optimizer.recourse`):
what it costs in a course is its plan's own cost, plus what the course costs beyond what the plan counts on. The starts
chosen are planned as ever, for what the problem itself counts on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from models.courses import Courses
from optimizer.dispatch import Redispatched, calmed, redispatch
from optimizer.document import Plan
from optimizer.extract import extract, with_bound
from optimizer.finds import CALM_S, Clock, Find, Request
from optimizer.kept_prices import KeptPrices
from optimizer.problem import Floats, Problem
from optimizer.recourse import Recourse, unreserved
from optimizer.replay import Previous, schedule_of
from optimizer.sessions import Pattern
from optimizer.solve import Options
from optimizer.weighed import Hedge, Weighed

Tell = Callable[[Find], None]
Work = Callable[[Problem, Request, Tell], Iterator[Find]]

PLAN_SHARE = 0.5
"""Share of the time limit for the plan itself; the rest is for other starts and for weighing them."""
EACH_SHARE = 0.25
"""Share of the time left that one more plan, or weighing one plan's starts, may take."""
FINDS = 3
"""Plans found on the way whose starts are weighed, the cheapest first."""
LEAN = 0.25
"""Quantile of the courses, slot by slot, that the lean sky is made of."""
LEFT_SHARE, LEAST_S = 0.1, 2.0
"""Share of the limit below which no other starts are looked for, and seconds that weighing may take in any case."""
WORST = 0.1
"""Share of the courses that count as the worst."""


@dataclass(frozen=True, eq=False)
class _Starts:
    """Starts to weigh: their plan's cost, and the plan itself unless it is still to be written."""

    name: str
    pattern: Pattern
    cost: float
    plan: Plan | None = None
    redone: Redispatched | None = None


@dataclass(frozen=True, eq=False)
class _Spread:
    costs: Floats
    short_mwh: Floats

    def value(self, risk: float) -> float:
        """Mean, drawn towards the mean of the worst tenth (conditional value at risk) by ``risk``."""
        return (1.0 - risk) * float(self.costs.mean()) + risk * self.worst

    @property
    def worst(self) -> float:
        """Mean of the dearest tenth, of one course at least."""
        return float(np.sort(self.costs)[-max(1, int(np.ceil(WORST * len(self.costs) - 1e-9))) :].mean())


def hedged(problem: Problem, request: Request, courses: Courses, work: Work, tell: Tell) -> Iterator[Find]:
    """Finds of ``work`` (:func:`optimizer.worker.work`), then plans of the chosen starts, with their ``hedge``.

    One of these after each starts weighed; the last is the choice. There is none where there is no plan, or where its
    own starts could not be weighed in the time. Half of the request's time goes to the plan itself. The courses are
    equally likely and on the problem's slots.
    """
    yield from _Hedging(problem, replace(request, courses=None), courses, work).run(tell)


class _Hedging:
    """One choice: what it works on, what was found, and what was weighed."""

    def __init__(self, problem: Problem, request: Request, courses: Courses, work: Work) -> None:
        self.problem, self.request, self.courses, self.work = problem, request, courses, work
        self.clock = Clock(request.time_limit_s)
        self.plans: list[Plan] = []
        self.bound: float | None = None
        self.prices: KeptPrices | None = None
        self.table: list[tuple[_Starts, _Spread]] = []

    def run(self, tell: Tell) -> Iterator[Find]:
        """Plan, look for other starts, weigh all, choose."""

        def heard(find: Find) -> None:
            self._note(find)
            tell(find)

        for find in self.work(self.problem, replace(self.request, time_limit_s=PLAN_SHARE * self.clock.limit_s), heard):
            self._note(find)
            yield find
        risk, plan = self.request.risk, None
        for starts in self._starts():
            spread = self._weighed(starts)
            if spread is None and not self.table:
                return
            if spread is None:
                continue
            self.table.append((starts, spread))
            chosen, spread = min(self.table, key=lambda row: row[1].value(risk))
            if chosen is starts or plan is None:
                plan = self._written(chosen)
            # told at once, so that it outlives this process
            yield Find(plan=plan, hedge=_told(self.courses, chosen, spread, risk, self.table))

    def _note(self, find: Find) -> None:
        if find.plan is not None and find.plan.objective is not None:
            self.plans.append(find.plan)
        if find.bound is not None:
            self.bound = find.bound if self.bound is None else max(self.bound, find.bound)
        self.prices = find.prices or self.prices

    def _starts(self) -> Iterator[_Starts]:
        """Starts no two of which are the same, those of the cheapest plan first."""
        problem, seen = self.problem, set[bytes]()

        def new(pattern: Pattern) -> bool:
            key = b"".join(pattern[name].tobytes() for name in sorted(pattern))
            fresh = key not in seen
            seen.add(key)
            return fresh

        # of plans that cost the same the later one has the calmer set-points
        plans = sorted(enumerate(self.plans), key=lambda pair: (_cost(pair[1]), -pair[0]))
        for _, plan in plans:
            pattern = schedule_of(problem, plan).pattern
            if len(seen) < FINDS and new(pattern):
                yield _Starts("plan" if len(seen) == 1 else "find", pattern, _cost(plan), plan)
        took = LEFT_SHARE * self.clock.limit_s
        begun = self.clock.elapsed
        for name, other in self._others() if plans else ():
            # exact days take many times the share that they are given, so that the last one says how long one takes
            took, begun = max(took, self.clock.elapsed - begun), self.clock.elapsed
            if self.clock.left <= took:
                return
            found = self._planned(other, Previous(plans[0][1], problem.horizon.start, self.prices))
            if found is None or not new(pattern := schedule_of(other, found).pattern):
                continue
            limit_s = max(LEAST_S, EACH_SHARE * self.clock.left)
            redone = redispatch(problem, pattern, Options(self.request.gap, limit_s))
            if redone is not None:
                yield _Starts(name, pattern, redone.cost, None, redone)

    def _others(self) -> Iterator[tuple[str, Problem]]:
        """Other problems whose starts may do: no headroom, a lean sky, then the courses in which it costs most."""
        bare, courses, unit = unreserved(self.problem), self.courses, self.problem.unit_mw

        def under(pv_mw: Floats, wind_mw: Floats, more_mw: Floats) -> Problem:
            return replace(bare, pv=pv_mw / unit, wind=wind_mw / unit, base=bare.base + more_mw / unit)

        if bare is not self.problem:
            yield "no headroom", bare
        pv, wind = (np.quantile(values, LEAN, axis=0) for values in (courses.pv_mw, courses.wind_mw))
        yield "lean", under(pv, wind, np.quantile(courses.more_load_mw, 1.0 - LEAN, axis=0))
        for k in np.argsort(-self.table[0][1].costs, kind="stable").tolist():
            yield f"course {k + 1}", under(courses.pv_mw[k], courses.wind_mw[k], courses.more_load_mw[k])

    def _planned(self, other: Problem, previous: Previous) -> Plan | None:
        """Last plan of another problem in a share of the time left."""
        limit_s = EACH_SHARE * self.clock.left
        request = replace(self.request, time_limit_s=limit_s, previous=previous)
        last: Plan | None = None
        for find in self.work(other, request, lambda _: None):
            last = last if find.plan is None or find.plan.objective is None else find.plan
        return last

    def _weighed(self, starts: _Starts) -> _Spread | None:
        """What starts cost in every course; None where that is not known in the time."""
        until = self.clock.elapsed + max(LEAST_S, self.clock.left)
        recourse = Recourse(self.problem, starts.pattern, self.courses, self.request.threads)
        answers = []
        for course in (None, *range(len(self.courses))):
            left = until - self.clock.elapsed
            answer = recourse.answer(course, left) if left > 0 else None
            if answer is None:
                return None
            answers.append(answer)
        own, *rest = answers
        costs = np.array([starts.cost + answer.cost - own.cost for answer in rest])
        return _Spread(costs, np.array([answer.short_mwh for answer in rest]))

    def _written(self, chosen: _Starts) -> Plan:
        """The plan of the chosen starts."""
        plan = chosen.plan
        if plan is None:
            assert chosen.redone is not None
            redone = calmed(self.problem, chosen.redone, Options(gap=1e-9, time_limit_s=CALM_S))
            plan = extract(self.problem, redone.schedule, redone.energy, "LP", self.clock.elapsed)
        return with_bound(plan, self.bound, self.request.gap)


def _cost(plan: Plan) -> float:
    assert plan.objective is not None
    return plan.objective


def _told(
    courses: Courses, chosen: _Starts, spread: _Spread, risk: float, table: list[tuple[_Starts, _Spread]]
) -> Hedge:
    rows = tuple(
        Weighed(one.name, one.cost, float(its.costs.mean()), float((its.short_mwh > 0).mean())) for one, its in table
    )
    return Hedge(
        courses=len(courses),
        origin=courses.origin,
        chosen=chosen.name,
        value=spread.value(risk),
        expected_cost=float(spread.costs.mean()),
        spread=float(spread.costs.std()),
        least_cost=float(spread.costs.min()),
        most_cost=float(spread.costs.max()),
        worst_cost=spread.worst,
        short_probability=float((spread.short_mwh > 0).mean()),
        short_mwh=float(spread.short_mwh.mean()),
        weighed=rows,
    )
