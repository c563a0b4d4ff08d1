"""Answers to what is asked of published plans: kept ones at once, others found once for all who ask meanwhile."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from anyio import to_thread

from api import logs
from api.plan_store import Edition
from api.question import Question
from api.solving import Solver
from api.store.engine import StateUnavailable
from api.store.explanations import ExplanationStore

Answer = dict[str, Any]
"""What :func:`optimizer.explain.overview.to_json` gives."""

Key = tuple[str, Question]
_MOST = 100
_log = logs.get("web")


class Explainer:
    """Between askers, the store of explanations and the solver's queue.

    A search goes on when its asker leaves: what it finds is kept for the next.
    """

    def __init__(self, solver: Solver, kept: ExplanationStore) -> None:
        self._solver = solver
        self._kept = kept
        self._searches: OrderedDict[Key, asyncio.Task[Answer]] = OrderedDict()

    async def explain(
        self, edition: Edition, question: Question, limit_s: float, other: Edition | None = None
    ) -> Answer:
        """What a question about a plan is answered; ``other`` is the edition that it compares with.

        Raises:
            InvalidInput: the question makes no sense for this plan.
            NoPlanInTime: a what-if brought no plan in the time.
            Refused: 503, too many wait already.
        """
        told = await self._within(None, edition, question, limit_s, other)
        assert told is not None
        return told

    async def explain_soon(
        self, edition: Edition, question: Question, limit_s: float, patience_s: float
    ) -> Answer | None:
        """The same for one who comes back: None where it takes longer than ``patience_s``.

        A search that fails meanwhile says so to the next who asks, once.
        """
        return await self._within(patience_s, edition, question, limit_s, None)

    async def _within(
        self, patience_s: float | None, edition: Edition, question: Question, limit_s: float, other: Edition | None
    ) -> Answer | None:
        key = (edition["plan_id"], question)
        kept = await to_thread.run_sync(self._kept.get, *key)
        if kept is not None:
            return kept
        search = self._searches.get(key)
        if search is None:
            search = self._searches[key] = asyncio.create_task(self._find(key, edition, other, limit_s))
            search.add_done_callback(_noted)
            while len(self._searches) > _MOST:
                self._searches.popitem(last=False)
        await asyncio.wait([search], timeout=patience_s)
        if not search.done():
            return None
        if self._searches.get(key) is search:
            del self._searches[key]
        return search.result()

    async def _find(self, key: Key, edition: Edition, other: Edition | None, limit_s: float) -> Answer:
        told = await self._solver.explain(key[1], edition, other, limit_s)
        try:
            return await to_thread.run_sync(self._kept.keep, *key, told)
        except StateUnavailable as error:  # a full disk keeps nobody from hearing it
            _log.error("explanation_not_kept", plan_id=key[0], reason=error.reason)
            return told


def _noted(search: asyncio.Task[Answer]) -> None:
    """Nobody need come back for a failure."""
    if not search.cancelled():
        search.exception()
