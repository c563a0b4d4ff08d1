"""Solving without a solver in the web process: one killable child at a time, a short queue."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from api import logs
from api.errors import Refused
from api.guard import kill_group
from api.plan_store import Edition
from api.question import Question
from models.errors import Fault, InvalidInput, NoPlanInTime

MAX_TIME_LIMIT_S = 600.0
_WAITING = 4
_log = logs.get("solve")


class Solver:
    """Runs :mod:`api.solve_child` and :mod:`api.why_child`; ``grace_s`` is what a child may take beyond its limit."""

    def __init__(self, grace_s: float = 30.0) -> None:
        self._grace_s = grace_s
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def solve(self, body: bytes, time_limit_s: float, gone: Callable[[], Awaitable[bool]]) -> dict[str, Any]:
        """Plan document for a problem that has been checked; ``gone`` tells whether the asker has left.

        Raises:
            InvalidInput: the child refused the document after all.
            NoPlanInTime: neither a plan nor a proof in the time.
            Refused: 503, too many wait already.
        """
        told = await self._in_turn("api.solve_child", body, time_limit_s, gone)
        if "plan" in told:
            plan: dict[str, Any] = told["plan"]
            return plan
        raise NoPlanInTime(told["time_limit_s"], told["tried"])

    async def explain(
        self,
        question: Question,
        edition: Edition,
        other: Edition | None,
        time_limit_s: float,
    ) -> dict[str, Any]:
        """Explanation of a plan (:mod:`api.why_child`), whoever waits for it.

        Raises:
            InvalidInput: the question makes no sense for this plan.
            NoPlanInTime: a what-if brought no plan in the time.
            Refused: 503, too many wait already.
        """
        asked = {"question": asdict(question), "edition": _meant(edition), "other": other and _meant(other)}
        told = await self._in_turn("api.why_child", json.dumps(asked).encode(), time_limit_s, _stays)
        if "explanation" in told:
            explanation: dict[str, Any] = told["explanation"]
            return explanation
        raise NoPlanInTime(told["time_limit_s"], told["tried"])

    async def _in_turn(
        self, module: str, body: bytes, time_limit_s: float, gone: Callable[[], Awaitable[bool]]
    ) -> dict[str, Any]:
        if self._waiting >= _WAITING:
            told = f"{self._waiting} problems wait for the solver already; try again later"
            raise Refused(503, "SolverBusy", told, {"Retry-After": str(max(1, round(time_limit_s)))})
        self._waiting += 1
        try:
            async with self._turn:
                if await gone():
                    raise Refused(503, "AskerGone", "the asker left before its turn")
                return await self._run(module, body, time_limit_s, gone)
        finally:
            self._waiting -= 1

    async def _run(
        self, module: str, body: bytes, time_limit_s: float, gone: Callable[[], Awaitable[bool]]
    ) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            str(os.getpid()),
            str(time_limit_s),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        talk = asyncio.create_task(child.communicate(body))
        deadline = asyncio.get_running_loop().time() + time_limit_s + self._grace_s
        try:
            while not talk.done():
                await asyncio.wait([talk], timeout=0.5)
                if talk.done():
                    break
                if asyncio.get_running_loop().time() > deadline:
                    raise NoPlanInTime(time_limit_s, ["the whole ladder; its process was stopped"])
                if await gone():
                    raise Refused(503, "AskerGone", "the asker left")
        finally:
            kill_group(child.pid, signal.SIGKILL)
            if not talk.done():
                talk.cancel()
            await child.wait()
        out, _ = talk.result()
        return _answer(out, child.returncode)


async def _stays() -> bool:
    return False


def _meant(edition: Edition) -> dict[str, Any]:
    return {"problem": edition["problem"], "plan": edition["plan"], "prices": edition.get("prices")}


def _answer(out: bytes, code: int | None) -> dict[str, Any]:
    try:
        told = json.loads(out)
    except ValueError:
        told = {"fault": f"the solving process ended with {code}"}
    if "fault" in told:
        _log.error("solve_failed", reason=told["fault"], code=code)
        raise Refused(503, "SolverFault", f"the solver failed: {told['fault']}", {"Retry-After": "5"})
    if "faults" in told:
        raise InvalidInput(told.get("what", "the problem document"), [Fault(*row) for row in told["faults"]])
    answer: dict[str, Any] = told
    return answer
