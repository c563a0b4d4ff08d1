"""``chergui explain | what-if | diff``: why a plan is as it is, on files or on plans that the service keeps.

Exit codes: 0 told, 2 bad document or question, 3 the wish cannot be, 4 no plan in the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from api.commands.contract import fail, read_bytes, read_problem_file
from models.errors import Fault, InvalidInput, NoPlanInTime, NotFound
from models.horizon import parse_rfc3339
from models.strict_json import loads
from optimizer.document import Plan, ReceivedProblem, parse_plan
from optimizer.kept_prices import KeptPrices
from optimizer.refusals import check_problem

if TYPE_CHECKING:
    from optimizer.explain.contrast import Solve
    from optimizer.explain.seen import Seen
    from optimizer.explain.statement import Statement
    from optimizer.replay import Previous

app = typer.Typer(add_completion=False, no_args_is_help=True)


class Language(StrEnum):
    """Of the sentences."""

    en = "en"
    fr = "fr"


KEPT = "current"
Which = Annotated[
    str,
    typer.Argument(
        help="A plan document with --problem, an edition (JSON of /api/v1/plans/ID), a plan's id, or 'current'.",
        show_default=False,
    ),
]
ProblemOf = Annotated[Path | None, typer.Option("--problem", help="Problem document of a plan document.")]
Data = Annotated[Path | None, typer.Option("--data-dir", help="State of the service, for a plan's id.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language of the sentences.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the facts instead of sentences.")]
Limit = Annotated[float, typer.Option("--time-limit", min=0.1, help="Seconds of each solve.")]


@app.command()
def explain(
    plan: Which,
    job: Annotated[str | None, typer.Option(help="Why this job starts and draws as it does.")] = None,
    slot: Annotated[str | None, typer.Option(help="Instant (RFC 3339) of the slot that is meant.")] = None,
    problem: ProblemOf = None,
    data_dir: Data = None,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:
    """Say why a plan is as it is: cost, wishes, limits, prices and jobs; or one job, or one slot."""
    from optimizer.explain.overview import explain_job, explain_plan, explain_slot, to_json

    try:
        seen = _seen(plan, problem, data_dir)
        at = None if slot is None else _slot(seen, slot)
        if job is not None:
            sections = explain_job(seen, job, at)
        else:
            sections = explain_plan(seen) if at is None else explain_slot(seen, at)
    except (InvalidInput, NotFound) as error:
        raise fail(2, f"{plan}: {error}") from None
    if as_json:
        print(json.dumps(to_json(seen, sections), indent=1, allow_nan=False))
    else:
        _print(seen, sections, lang)


@app.command(name="what-if")
def what_if(
    problem: Annotated[Path, typer.Argument(help="Problem document, or an edition (JSON).", show_default=False)],
    job: Annotated[str, typer.Option(help="The job that is meant.", show_default=False)],
    start: Annotated[str, typer.Option(help="Its wished start (RFC 3339, a slot border).", show_default=False)],
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Plan to compare with; default: the problem is solved first.")
    ] = None,
    time_limit: Limit = 10.0,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:
    """Say what another start of a job would cost, and who else would move; or what forbids it."""
    from optimizer.explain.contrast import pinned
    from optimizer.explain.contrast import what_if as tried
    from optimizer.explain.overview import to_json
    from optimizer.explain.seen import Seen
    from optimizer.explain.wish import told
    from optimizer.rolling import SolverFault

    solve = _solve(time_limit)
    try:
        received, known, _ = _edition(read_bytes(problem), str(problem))
        if plan is not None:
            known = parse_plan(loads(read_bytes(plan), "the plan document"))
        wished = _moment(start)
        pinned(received, job, wished)  # a question that makes no sense is told before anything is solved
        seen = Seen.of(received, solve(received, None) if known is None else known)
        found = tried(seen, job, wished, solve)
    except InvalidInput as error:
        raise fail(2, f"{problem}: {error}") from None
    except (NoPlanInTime, SolverFault) as error:
        raise fail(4, str(error)) from None
    sections = told(found)
    if as_json:
        print(json.dumps(to_json(seen, sections), indent=1, allow_nan=False))
    else:
        _print(seen, sections, lang)
    if found.other is None:
        raise typer.Exit(3)


@app.command()
def diff(
    plan_a: Which,
    plan_b: Which,
    problem: Annotated[Path | None, typer.Option("--problem", help="Problem of the first plan document.")] = None,
    other_problem: Annotated[
        Path | None, typer.Option("--other-problem", help="Problem of the second plan document.")
    ] = None,
    causes: Annotated[bool, typer.Option(help="Solve once for each changed input, to tell what it makes.")] = True,
    time_limit: Limit = 10.0,
    data_dir: Data = None,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:
    """Say what changed from one plan to another, and which inputs stand behind it."""
    from optimizer.explain.changes import compare
    from optimizer.explain.overview import to_json
    from optimizer.rolling import SolverFault

    try:
        a, b = _seen(plan_a, problem, data_dir), _seen(plan_b, other_problem or problem, data_dir)
        sections = compare(a, b, _solve(time_limit) if causes else None)
    except (InvalidInput, NotFound) as error:
        raise fail(2, str(error)) from None
    except (NoPlanInTime, SolverFault) as error:
        raise fail(4, str(error)) from None
    if as_json:
        print(json.dumps(to_json(b, sections), indent=1, allow_nan=False))
    else:
        _print(b, sections, lang)


def _solve(time_limit_s: float) -> Solve:
    def solve(received: ReceivedProblem, begin: Previous | None) -> Plan:
        from optimizer.rolling import plan

        return plan(received, time_limit_s=time_limit_s, previous=begin)

    return solve


def _seen(which: str, problem: Path | None, data_dir: Path | None) -> Seen:
    """The plan that is meant, with its problem.

    Raises:
        InvalidInput: a document is refused, or the plan's problem is not given.
        NotFound: there is no such file and no such plan.
    """
    from optimizer.explain.seen import Seen

    path = Path(which)
    if not path.is_file() and (which == KEPT or which.startswith("pln_")):
        return Seen.of(*_kept(which, data_dir))
    if problem is not None:
        return Seen.of(read_problem_file(problem), parse_plan(loads(read_bytes(path), "the plan document")))
    received, plan, prices = _edition(read_bytes(path), which)
    if plan is None:
        raise InvalidInput(
            "the question", [Fault("", "problem", "a plan document alone does not say its problem; add --problem")]
        )
    return Seen.of(received, plan, prices)


def _edition(data: bytes, name: str) -> tuple[ReceivedProblem, Plan | None, KeptPrices | None]:
    """Problem, plan and slot prices of an edition, or a problem by itself."""
    raw = loads(data, name)
    if isinstance(raw, dict) and isinstance(raw.get("problem"), dict):
        return check_problem(raw["problem"]), parse_plan(raw["plan"]) if "plan" in raw else None, _prices(raw)
    if isinstance(raw, dict) and "problem_digest" in raw:
        raise InvalidInput(name, [Fault("", "problem", "this is a plan document; add --problem with its problem")])
    return check_problem(raw), None, None


def _prices(edition: dict[str, Any]) -> KeptPrices | None:
    return None if edition.get("prices") is None else KeptPrices.from_json(edition["prices"])


def _kept(which: str, data_dir: Path | None) -> tuple[ReceivedProblem, Plan, KeptPrices | None]:
    from api.commands.service import state_of
    from api.plan_store import PlanStore
    from api.wiring import clock_of
    from ingest.site_file import read_site

    settings, engine = state_of(data_dir)
    plans = PlanStore(engine, read_site(settings.site_path).name, clock_of(settings))
    edition = plans.named(which)
    return check_problem(edition["problem"]), parse_plan(edition["plan"]), _prices(edition)


def _moment(text: str) -> datetime:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise InvalidInput("the question", [Fault("/start", "time", str(error))]) from None


def _slot(seen: Seen, text: str) -> int:
    slot = seen.problem.horizon.slot(_moment(text))
    if not 0 <= slot < seen.problem.slots:
        told = f"{text} lies outside the plan's horizon [{seen.at(0)}, {seen.at(seen.problem.slots)})"
        raise InvalidInput("the question", [Fault("/slot", "outside", told)])
    return slot


def _print(seen: Seen, sections: Mapping[str, Sequence[Statement]], lang: Language) -> None:
    from api.pages.told import Told
    from api.pages.words import words

    told = Told(words(lang.value), ZoneInfo(seen.received.document.site.timezone), seen.currency)
    for name, statements in sections.items():
        if not statements or name == "kept":  # every wish that is kept: counted here, listed with --json
            continue
        print(told.heading(name))
        for statement in statements:
            print("  " + _plain(_line(told, statement.to_json())))


def _line(told: Any, statement: dict[str, Any]) -> str:
    sentence: str = told.sentence(statement)
    if "reason" not in statement:
        return sentence
    return f"{sentence} [{statement['reason']}: {told.reason(statement['reason'])}]"


def _plain(text: str) -> str:
    """Without the isolates that only mixed directions need."""
    return text.replace("\u2068", "").replace("\u2069", "")
