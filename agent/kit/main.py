"""``chergui agent-test``: play the cases against an agent, several stages at once, and say what became of each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from agent.kit.cases import CASES, Case
from agent.kit.stage import Failed, NotRun, Stage, Subject
from models.errors import Fault, InvalidInput


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case; ``why`` is empty where it passed."""

    case: str
    demand: str
    verdict: Literal["passed", "failed", "not run"]
    why: str
    seconds: float


def chosen(names: Sequence[str]) -> list[Case]:
    """Cases by name; all where none is named.

    Raises:
        InvalidInput: there is no such case.
    """
    known = {case.name: case for case in CASES}
    faults = [
        Fault("case", "unknown", f"{name!r} is no case; known: {', '.join(known)}")
        for name in names
        if name not in known
    ]
    if faults:
        raise InvalidInput("the choice of cases", faults)
    return [known[name] for name in names] if names else list(CASES)


def play(
    subject: Subject,
    cases: Sequence[Case],
    *,
    at_once: int = 2,
    actuator: str = "dry-run",
    told: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Play cases; those that share a stage are played one after the other, in one of the lanes."""
    lanes = [[case] for case in cases if not case.shares]
    if shared := [case for case in cases if case.shares]:
        lanes.insert(0, shared)

    def lane(row: list[Case]) -> list[Outcome]:
        found: list[Outcome] = []
        stage: Stage | None = None
        try:
            for case in row:
                stage = stage or Stage(subject, actuator=actuator)
                found.append(_played(case, stage))
                told(found[-1])
                if found[-1].verdict != "passed":  # what it holds now is anybody's guess
                    stage.close()
                    stage = None
        finally:
            if stage is not None:
                stage.close()
        return found

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return [outcome for row in pool.map(lane, lanes) for outcome in row]


def _played(case: Case, stage: Stage) -> Outcome:
    began = time.monotonic()
    verdict: Literal["passed", "failed", "not run"] = "passed"
    why = ""
    try:
        case.play(stage)
    except Failed as error:
        verdict, why = "failed", str(error)
    except NotRun as error:
        verdict, why = "not run", str(error)
    return Outcome(case.name, case.demand, verdict, why, round(time.monotonic() - began, 2))


def main(subject: Subject, names: Sequence[str], *, at_once: int = 2, report: Path | None = None) -> int:
    """Play, print a line a case and the count; exit status 0: nothing failed, 1: something did."""

    def line(outcome: Outcome) -> None:
        print(f"{outcome.verdict:8} {outcome.case:26} {outcome.why or outcome.demand}", flush=True)

    outcomes = play(subject, chosen(names), at_once=at_once, told=line)
    count = {verdict: sum(o.verdict == verdict for o in outcomes) for verdict in ("passed", "failed", "not run")}
    print(f"{count['passed']} passed, {count['failed']} failed, {count['not run']} not run")
    if report is not None:
        report.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n", encoding="utf-8")
    return 1 if count["failed"] else 0
