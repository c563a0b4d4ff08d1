"""The one public door: a problem goes in, a plan that the referee has passed comes out.

The solve runs in a child process that is killed when it overstays or outgrows its memory; every
plan that it finds is judged by the referee here, outside, and the best that passed is the answer.
Where the child brings none, the rungs of :mod:`optimizer.ladder` are tried in turn, without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from models.errors import CherguiError, InvalidInput, NoPlanInTime
from models.horizon import rfc3339
from models.strict_json import loads
from optimizer.document import Plan, Problem, ReceivedProblem, dump_plan, parse_plan
from optimizer.kept_prices import KeptPrices
from optimizer.verify import Violation, verify
from optimizer.weighed import Hedge

if TYPE_CHECKING:
    from models.courses import Courses
    from optimizer.replay import Previous

log = logging.getLogger("chergui.optimizer")

START_UP_S = 15.0
"""Time that a child may need to import its libraries on a cold and busy machine, on top of the time limit."""

GRACE_S = 3.0
"""From the end of the time limit to SIGTERM, and from there to SIGKILL."""

MEMORY_LIMIT_BYTES = 8 << 30


@dataclass(frozen=True)
class Progress:
    """How far a solve is: seconds, the rung of the best plan, its objective, bound and gap."""

    elapsed_s: float
    rung: str | None = None
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None


class SolverFault(CherguiError):
    """The child died or offered nothing that the referee would pass; ``detail`` holds its last words."""

    code = "SolverFault"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"the solver's process failed: {detail}")


@dataclass
class _Best:
    """The best plan so far that passed the referee, and what was tried."""

    problem: ReceivedProblem
    gap: float
    plan: Plan | None = None
    tried: list[str] = field(default_factory=list)
    refused: list[Violation] = field(default_factory=list)

    def offer(self, plan: Plan, *, chosen: bool = False) -> bool:
        """Take a plan that passes the referee, the better of two unless it was ``chosen``; whether it passed."""
        violations = verify(self.problem, plan, self.gap)
        self.tried.append(plan.rung if not violations else f"{plan.rung} (refused by the referee)")
        if violations:
            self.refused.extend(violations)
            log.error("the referee refused a %s plan: %s", plan.rung, violations[0].sentence)
            return False
        if chosen or self.plan is None or _at_least_as_good(plan, self.plan):
            self.plan = plan
        return True


def _at_least_as_good(new: Plan, old: Plan) -> bool:
    if new.objective is None or old.objective is None:
        # a claim that there is no plan stands only until one has passed the referee
        return old.objective is None
    return new.objective <= old.objective or (new.bound is not None and old.bound is None)


def plan(
    problem: ReceivedProblem,
    *,
    gap: float | None = None,
    time_limit_s: float | None = None,
    threads: int = 1,
    method: Literal["auto", "direct", "large"] = "auto",
    previous: Previous | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_prices: Callable[[KeptPrices], None] | None = None,
    courses: Courses | None = None,
    risk: float = 0.0,
    on_hedge: Callable[[Hedge], None] | None = None,
) -> Plan:
    """Best plan found in the time, or a plan that says why there is none.

    A solver that fails costs quality, not the plan: the rung says which step of the ladder it stands on, and a claim
    of the solver that there is no plan is dropped where a lower rung finds one.

    Args:
        problem: a document that :func:`optimizer.refusals.check_problem` has passed.
        gap: relative gap wanted; default: the document's.
        time_limit_s: wall-clock limit of the solve; default: the document's.
        threads: threads of the solver.
        method: ``direct`` hands the whole model to HiGHS, ``large`` prices slots; ``auto`` chooses by size and shape.
        previous: the plan in force, whose starts are tried first (``LP``) and which is the last but one rung.
        on_progress: told after every find.
        on_prices: told the slot prices where the solve came to any; handed in with ``previous``, the next one begins
            at them.
        courses: what sun, wind and load may do instead; the plan of the starts that cost least over them is the answer
            (:mod:`optimizer.hedge`), or the plan itself where there was no time to weigh them.
        risk: 0 to 1, weight of the worst tenth of the courses.
        on_hedge: told what weighing came to after each starts weighed; the last is the answer's.

    Raises:
        NoPlanInTime: neither a plan nor a proof that there is none.
        SolverFault: the child failed before it found anything, and no lower rung holds.
    """
    gap = problem.document.gap if gap is None else gap
    limit = problem.document.time_limit_s if time_limit_s is None else time_limit_s
    if method == "large" and _needs_the_whole_model(problem.document):
        log.warning("orders, partners or checkpoints of jobs need the whole model: direct is taken, not large")
    begun = time.monotonic()
    best = _Best(problem, gap)
    request = {"problem": problem.raw, "gap": gap, "time_limit_s": limit, "threads": threads, "method": method}
    if previous is not None:
        request["previous"] = {
            "plan": dump_plan(previous.plan),
            "start": rfc3339(previous.start),
            "prices": None if previous.prices is None else previous.prices.to_json(),
        }
    if courses is not None:
        request |= {"courses": courses.to_json(), "risk": risk}
    last_words, bound, garbled, certain = "", None, None, False
    with _child(request) as child:
        for line in _lines(child, begun + START_UP_S + limit):
            try:
                said = _heard(line)
            except SolverFault as fault:
                log.error("%s", fault)
                garbled = garbled or fault
                continue
            if said.plan is not None:
                passed = best.offer(said.plan, chosen=said.hedge is not None)
                certain = passed and said.certain
                if passed and said.hedge is not None and on_hedge is not None:
                    on_hedge(said.hedge)
            if said.bound is not None:
                bound = said.bound if bound is None else max(bound, said.bound)
            if on_prices is not None and said.prices is not None:
                on_prices(said.prices)
            if on_progress is not None:
                on_progress(_progress(best.plan, bound, time.monotonic() - begun))
        last_words = _ended(child)
    if best.plan is not None and best.plan.objective is not None:
        if last_words:
            log.error("the solver's process failed after a plan was found: %s", last_words)
        return best.plan
    claim, why = best.plan, _fault(best, last_words, garbled, limit)
    if claim is not None and certain:
        return claim
    lower = next((plan for plan in lower_rungs(problem, previous) if best.offer(plan)), None)
    if lower is not None:
        log.error(
            "a plan of rung %s is taken: %s", lower.rung, why if claim is None else "the day has a plan after all"
        )
        return lower
    if claim is not None:
        return claim
    raise why


def _needs_the_whole_model(problem: Problem) -> bool:
    """As :func:`optimizer.direct.only_milp`, read from the document alone."""
    queues = problem.storage is not None and any(job.checkpoint_gb for job in problem.jobs)
    ordered = any(job.after for job in problem.jobs)
    return queues or ordered or any(pool.partner is not None for pool in problem.pools)


def lower_rungs(problem: ReceivedProblem, previous: Previous | None) -> Iterator[Plan]:
    """Plans of :mod:`optimizer.ladder`, loaded only where the child has failed."""
    from optimizer.ladder import descend
    from optimizer.problem import compile_problem

    yield from descend(compile_problem(problem), previous)


def _fault(best: _Best, last_words: str, garbled: SolverFault | None, limit_s: float) -> CherguiError:
    """Why the child brought no plan."""
    if best.refused:
        return SolverFault(f"the referee refused every plan; first: {best.refused[0].sentence}")
    if last_words:
        return SolverFault(last_words)
    return garbled or NoPlanInTime(limit_s, best.tried or ["list scheduling", "MILP"])


@dataclass(frozen=True)
class _Said:
    """A find as the child told it; ``certain``: that there is no plan was found without a solver."""

    plan: Plan | None
    bound: float | None
    prices: KeptPrices | None
    certain: bool
    hedge: Hedge | None


def _heard(line: bytes) -> _Said:
    """A find of the child.

    Raises:
        SolverFault: the line is no such message.
    """
    try:
        message = loads(line, "the child's message")
        said, bound = message["plan"], message["bound"]
        prices, hedge = message.get("prices"), message.get("hedge")
        return _Said(
            None if said is None else parse_plan(said),
            None if bound is None else float(bound),
            None if prices is None else KeptPrices.from_json(prices),
            bool(message.get("certain", False)),
            None if hedge is None else Hedge.from_json(hedge),
        )
    except (InvalidInput, TypeError, KeyError, ValueError) as error:
        raise SolverFault(f"it said {line[:80]!r}, which is no find") from error


def _progress(best: Plan | None, bound: float | None, elapsed_s: float) -> Progress:
    if best is None or best.objective is None:
        return Progress(elapsed_s, bound=bound)
    proven = max((b for b in (best.bound, bound) if b is not None), default=None)
    gap = None if proven is None else max(0.0, best.objective - proven) / max(1.0, abs(best.objective))
    return Progress(elapsed_s, best.rung, best.objective, proven, gap)


def _become_killable() -> None:
    """In the child: die with the parent, keep to a memory limit, and be polite to the other core's work."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    os.nice(5)


@contextlib.contextmanager
def _child(request: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "optimizer.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        preexec_fn=_become_killable,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        # beside us, because a child that does not read would hold us here beyond any deadline
        threading.Thread(target=_ask, args=(process.stdin, json.dumps(request).encode()), daemon=True).start()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _ask(pipe: IO[bytes], request: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(request)


def _lines(child: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes]:
    """Lines of the child as they come; SIGTERM after the deadline and its grace, SIGKILL after another."""
    assert child.stdout is not None
    assert child.stderr is not None
    words: list[bytes] = []
    rest = b""
    steps = [(deadline + GRACE_S, signal.SIGTERM), (deadline + 2 * GRACE_S, signal.SIGKILL)]
    with selectors.DefaultSelector() as pipes:
        pipes.register(child.stdout, selectors.EVENT_READ, "finds")
        pipes.register(child.stderr, selectors.EVENT_READ, "words")
        while pipes.get_map() or child.poll() is None:
            for key, _ in pipes.select(timeout=0.2):
                data = os.read(key.fd, 1 << 16)
                if not data:
                    pipes.unregister(key.fileobj)
                elif key.data == "words":
                    words.append(data)
                else:
                    *lines, rest = (rest + data).split(b"\n")
                    yield from lines
            while steps and time.monotonic() > steps[0][0]:
                child.send_signal(steps.pop(0)[1])
    child.last_words = b"".join(words)[-2000:]  # type: ignore[attr-defined]


def _ended(child: subprocess.Popen[bytes]) -> str:
    """Last words of a child that did not end well by itself; empty where it did, or where we ended it."""
    code = child.wait()
    if code in (0, -signal.SIGTERM, -signal.SIGKILL):
        return ""
    words: bytes = child.last_words  # type: ignore[attr-defined]
    lines = words.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"
