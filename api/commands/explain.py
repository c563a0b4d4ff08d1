"""``chergui explain | what-if | diff``: why a plan is as it is, on files or on plans that the service keeps.

Exit codes: 0 told, 2 bad document or question, 3 the wish cannot be, 4 no plan in the time.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from api.commands.contract import fail, read_bytes, read_problem_file
from api.question import about, moment
from models.errors import Fault, InvalidInput, NoPlanInTime, NotFound
from models.strict_json import loads
from optimizer.document import Plan, ReceivedProblem, parse_plan
from optimizer.kept_prices import KeptPrices
from optimizer.refusals import check_problem

if TYPE_CHECKING:
    from api.plan_store import PlanStore
    from api.store.explanations import ExplanationStore
    from optimizer.explain.seen import Seen

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
    try:
        told = _kept_answer(plan, data_dir, job, slot) if _is_kept(plan) else None
        if told is None:
            from api.reasons import explained

            seen = _seen(plan, problem, data_dir)
            told = explained(seen, about(seen.received.raw, job, slot), 0.0)
    except (InvalidInput, NotFound) as error:
        raise fail(2, f"{plan}: {error}") from None
    _print(told, lang, as_json)


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
    from api.reasons import solver
    from optimizer.explain.contrast import pinned
    from optimizer.explain.contrast import what_if as tried
    from optimizer.explain.overview import to_json
    from optimizer.explain.seen import Seen
    from optimizer.explain.wish import told
    from optimizer.rolling import SolverFault

    solve = solver(time_limit)
    try:
        received, known, _ = _edition(read_bytes(problem), str(problem))
        if plan is not None:
            known = parse_plan(loads(read_bytes(plan), "the plan document"))
        wished = moment(start, "/start")
        pinned(received, job, wished)  # a question that makes no sense is told before anything is solved
        seen = Seen.of(received, solve(received, None) if known is None else known)
        found = tried(seen, job, wished, solve)
    except InvalidInput as error:
        raise fail(2, f"{problem}: {error}") from None
    except (NoPlanInTime, SolverFault) as error:
        raise fail(4, str(error)) from None
    _print(to_json(seen, told(found)), lang, as_json)
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
    from api.reasons import solver
    from optimizer.explain.changes import compare
    from optimizer.explain.overview import to_json
    from optimizer.rolling import SolverFault

    try:
        a, b = _seen(plan_a, problem, data_dir), _seen(plan_b, other_problem or problem, data_dir)
        sections = compare(a, b, solver(time_limit) if causes else None)
    except (InvalidInput, NotFound) as error:
        raise fail(2, str(error)) from None
    except (NoPlanInTime, SolverFault) as error:
        raise fail(4, str(error)) from None
    _print(to_json(b, sections), lang, as_json)


def _seen(which: str, problem: Path | None, data_dir: Path | None) -> Seen:
    """The plan that is meant, with its problem.

    Raises:
        InvalidInput: a document is refused, or the plan's problem is not given.
        NotFound: there is no such file and no such plan.
    """
    from optimizer.explain.seen import Seen

    path = Path(which)
    if _is_kept(which):
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


def _is_kept(which: str) -> bool:
    return not Path(which).is_file() and (which == KEPT or which.startswith("pln_"))


def _kept(which: str, data_dir: Path | None) -> tuple[ReceivedProblem, Plan, KeptPrices | None]:
    plans, _ = _stores(data_dir)
    edition = plans.named(which)
    return check_problem(edition["problem"]), parse_plan(edition["plan"]), _prices(edition)


def _kept_answer(which: str, data_dir: Path | None, job: str | None, slot: str | None) -> dict[str, Any] | None:
    """What the service has told of a plan that it keeps; None where nobody has asked."""
    plans, answers = _stores(data_dir)
    edition = plans.named(which)
    return answers.get(edition["plan_id"], about(edition["problem"], job, slot))


def _stores(data_dir: Path | None) -> tuple[PlanStore, ExplanationStore]:
    from api.commands.service import state_of
    from api.wiring import explanations_of

    settings, _ = state_of(data_dir)
    return explanations_of(settings)


def _print(explanation: dict[str, Any], lang: Language, as_json: bool) -> None:
    from api.pages.told import Told
    from api.pages.words import words

    if as_json:
        print(json.dumps(explanation, indent=1, allow_nan=False))
        return
    told = Told(words(lang.value), ZoneInfo(explanation["timezone"]), explanation["currency"])
    for name, statements in explanation["sections"].items():
        if not statements or name == "kept":  # every wish that is kept: counted here, listed with --json
            continue
        print(told.heading(name))
        for statement in statements:
            print("  " + _plain(_line(told, statement)))


def _line(told: Any, statement: dict[str, Any]) -> str:
    sentence: str = told.sentence(statement)
    if "reason" not in statement:
        return sentence
    return f"{sentence} [{statement['reason']}: {told.reason(statement['reason'])}]"


def _plain(text: str) -> str:
    """Without the isolates that only mixed directions need."""
    return text.replace("\u2068", "").replace("\u2069", "")
