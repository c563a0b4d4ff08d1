"""From slot prices to plans: price, list, re-dispatch, then better plans until the time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from optimizer.dispatch import Redispatched, at_levels, redispatch, settled
from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.finds import Best, Clock, Find, Request
from optimizer.first_come import in_order_of_release
from optimizer.kept_prices import KeptPrices, kept, work_of
from optimizer.on_surplus import with_surplus_jobs
from optimizer.problem import Floats, Ints, Problem
from optimizer.site_limits import supported_it
from optimizer.solve import Options

if TYPE_CHECKING:
    from optimizer.large.crowd import Crowd
    from optimizer.large.listing import Listing
    from optimizer.large.prices import Round

USABLE, ROUGH, GOOD, CLOSED = 0.3, 0.02, 0.01, 0.0002
"""Relative distances of master and bound: to list at when time is short, to list at, to list at again when pricing
takes long, and good enough for the day."""

LISTING_SHARE, PRICING_SHARE, SHORT_SHARE, ENDING_SHARE = 0.25, 0.6, 0.2, 0.9
"""Shares of the time limit: latest first listing, end of pricing, its end where HiGHS follows, end of improving."""

BENDS = (0.1, 0.03, 0.3, 1.0, 3.0)
"""How much dearer power beyond the target is, in the listings of which the cheapest is kept."""

BENDS_SHARE, SETTLING_SHARE = 0.3, 0.05
"""Shares of the time that is left for listing at one bend after the other, and of the limit for settling a board."""

MARGINS = (1.0, 0.9, 0.75)
"""Shares of the IT power that the site can carry, tried in turn where ramps or batteries leave no dispatch."""

FEW = 1000
"""Units up to which gangs choose anew together; for more, trial and error finds better places in less time."""

LEVELS_S, LEVELS_SHARE = 3.0, 0.1
"""Seconds, and share of those left, that the levels of one plan may take."""

ROUND_S, ROUND_JOBS = 3.0, 400.0
"""Seconds of improving between two plans, and entries for each of which that time counts once more."""


def search(problem: Problem, request: Request, clock: Clock, best: Best, *, small: bool) -> Iterator[Find]:
    """Plans with a proven gap; all the time where HiGHS has no chance, a short while where it follows (``small``)."""
    if _first_come(problem, best):
        yield best.find()
    # its compiled arithmetic takes a second to load, which small problems need not wait for
    from optimizer.large.crowd import Crowd

    crowd = Crowd(problem)
    if crowd.kinds:
        yield from _Search(problem, request, clock, best, EnergyModel(problem), crowd).run(small=small)


def first_plan(problem: Problem, best: Best) -> Iterator[Find]:
    """The quickest plan there is, where the general solver takes over at once."""
    if _first_come(problem, best):
        yield best.find()


class _Search:
    """One search: what it works on, and the steps that share it."""

    def __init__(
        self, problem: Problem, request: Request, clock: Clock, best: Best, energy: EnergyModel, crowd: Crowd
    ) -> None:
        from optimizer.large.improve import BoardCost

        self.problem, self.clock, self.best, self.energy, self.crowd = problem, clock, best, energy, crowd
        self.request = request
        self.options = Options(1e-6, max(2.0, request.time_limit_s / 2), request.threads)
        self.cost = BoardCost(energy)
        self.listing_s = 0.0

    def run(self, *, small: bool) -> Iterator[Find]:
        """Price, list, and improve."""
        from optimizer.large.listing import BRISK, PATIENT
        from optimizer.large.prices import rounds

        end = self.clock.at(SHORT_SHARE if small else PRICING_SHARE)
        pricing = rounds(self.energy, self.crowd, end, *self._begin())
        last: Round | None = None
        listing: Listing | None = None
        waiting = True
        for last in pricing:
            self.best.prove(last.bound)
            yield Find(bound=self.best.bound)
            late = time.monotonic() > self.clock.at(LISTING_SHARE)
            ready = last.spread <= ROUGH or (late and last.spread <= USABLE)
            if listing is None and ready:
                listing = self._list(last, BENDS[:1], BRISK)
                yield from self._plan(listing, last.rows, quick=True)
            elif waiting and late and last.spread <= GOOD:
                # pricing that goes on for long holds up a plan that is good already
                waiting = False
                listing = self._list(last, BENDS[:1], PATIENT) or listing
                yield from self._plan(listing, last.rows, quick=True)
            if last.spread <= CLOSED or self.best.proven:
                break
        if last is None:
            return
        yield Find(bound=self.best.bound, prices=self._kept(last))
        if self.clock.left <= 0:
            # a plan at the slots' prices is worth a moment beyond the limit, a better one is not
            if listing is None:
                yield from self._plan(self._list(last, BENDS[:1], BRISK), last.rows, quick=True)
            return
        affordable = int(BENDS_SHARE * (self.clock.at(ENDING_SHARE) - time.monotonic()) / max(1e-3, self.listing_s))
        again = self._list(last, BENDS[: max(1, affordable)], PATIENT)
        if again is not None and (listing is None or self.cost.of(again) < self.cost.of(listing)):
            listing = again
        yield from self._plan(listing, last.rows, quick=False)
        if small or listing is None or not len(listing.line):
            return
        yield from self._improve(listing, last)

    def _begin(self) -> tuple[list[Floats], Floats | None]:
        """Row prices and prices of work of an earlier solve, as far as there are any."""
        previous = self.request.previous
        prices = None if previous is None or previous.prices is None else previous.prices.on(self.problem)
        rows = None if prices is None else self.energy.completed(SlotPrices(*prices))
        if rows is None or previous is None or previous.prices is None:
            return [], None
        return [rows], work_of(self.crowd.kinds, previous.prices, self.crowd.first_theta(float(np.abs(rows).max())))

    def _kept(self, last: Round) -> KeptPrices:
        alike = zip(self.crowd.members, last.theta.tolist(), strict=True)
        return kept(
            self.problem, last.prices.power, last.prices.gpus, {e.id: theta for some, theta in alike for e in some}
        )

    def _list(self, last: Round, bends: tuple[float, ...], growth: float) -> Listing | None:
        """Cheapest of the boards that some bends give at these prices; None where none can be supplied."""
        from optimizer.large.improve import settle
        from optimizer.large.listing import Listing

        for margin in MARGINS:
            found: tuple[float, Listing | None] = (np.inf, None)
            for bend in bends:
                begun = time.monotonic()
                listing = Listing(self.energy, self.crowd, last, margin)
                listing.run(bend, growth)
                self.listing_s = time.monotonic() - begun
                cost = self.cost.of(listing)
                if cost < found[0]:
                    found = cost, listing
                if time.monotonic() > self.clock.at(ENDING_SHARE):
                    break
            if found[1] is not None:
                settle(found[1], self.cost, time.monotonic() + SETTLING_SHARE * self.clock.limit_s)
                return found[1]
        return None

    def _plan(self, listing: Listing | None, rows: Floats, *, quick: bool) -> Iterator[Find]:
        """The board as a plan, at its own levels first if that is to be quick."""
        if listing is None:
            return
        found: Redispatched | None = None
        pattern = listing.pattern()
        if quick:
            found = settled(self.problem, listing.schedule(), self.options)
        if found is None:
            # very many levels are good enough long before they are the best
            options = replace(self.options, time_limit_s=max(LEVELS_S, LEVELS_SHARE * self.clock.left))
            found = redispatch(self.problem, pattern, options, self.energy, rows)
        if found is not None:
            found = with_surplus_jobs(self.problem, found, self.options)
            if self.best.offer(found, found.schedule.pattern, "GREEDY"):
                yield self.best.find()

    def _improve(self, listing: Listing, last: Round) -> Iterator[Find]:
        from optimizer.large.improve import improve
        from optimizer.large.neighbourhood import search_around
        from optimizer.large.pricing import price

        least = price(self.crowd, last.prices, last.theta.copy()).least / self.crowd.times
        end = self.clock.at(ENDING_SHARE)
        every = ROUND_S * (1.0 + len(self.problem.entries) / ROUND_JOBS)
        bound = self.best.bound if self.best.bound is not None else -np.inf
        # what a board costs leaves out who cannot run; the plan's own levels come out a little cheaper than the board's
        good_enough = bound + self.best.gap * max(1.0, abs(bound)) - self.crowd.left_undone
        due = time.monotonic() + every
        cost = told = np.inf
        if len(listing.line) <= FEW:
            steps = search_around(self.energy, listing, self.cost, least, good_enough, end)
        else:
            steps = improve(listing, self.cost, least, good_enough, end)
        for cost in steps:
            if time.monotonic() > due and cost < told:
                yield from self._plan(listing, last.rows, quick=False)
                told, due = cost, time.monotonic() + every
                if self.best.proven:
                    return
        if cost < told:
            yield from self._plan(listing, last.rows, quick=False)


def safe(problem: Problem, request: Request, best: Best) -> Iterator[Find]:
    """The last resort: no new starts, only gangs that may not stop go on."""
    pattern: dict[str, Ints] = {}
    for e in problem.entries:
        on = np.zeros(problem.slots, dtype=np.int64)
        if e.must_stay and e.may_run:
            needed = int(np.ceil(e.due_h / (problem.step_h * max(e.top_speed, 1e-9)) - 1e-9))
            on[: min(max(1, needed, e.min_run - e.ran), e.last)] = e.count
        pattern[e.id] = on
    redone = redispatch(problem, pattern, Options(gap=1e-6, time_limit_s=max(2.0, request.time_limit_s / 2)))
    if redone is not None and best.offer(redone, pattern, "SAFE"):
        yield best.find()


def _first_come(problem: Problem, best: Best) -> bool:
    """A plan within the first second: jobs by release, each at the level that needs least energy; whether it holds."""
    frugal = {
        e.id: int(np.argmin(np.where(e.speed > 0, e.power / np.maximum(e.speed, 1e-9), np.inf)))
        for e in problem.entries
    }
    limit = supported_it(problem, problem.import_limit + problem.pv + problem.wind)
    pattern = in_order_of_release(problem, limit, frugal)
    found = at_levels(problem, pattern, frugal, Options(gap=1e-6, time_limit_s=5.0))
    return found is not None and best.offer(found, pattern, "GREEDY")
