"""Sentences of explanations: every statement has one in each language, filled with the stored numbers."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import random_days
from plan_here import plan_here
from small_day import at, day, job, planned

import optimizer.explain
from api.pages.told import Told
from api.pages.words import LANGUAGES, catalogue, words
from models.horizon import parse_rfc3339
from optimizer.document import Plan, ReceivedProblem
from optimizer.explain.changes import compare
from optimizer.explain.contrast import what_if
from optimizer.explain.overview import explain_job, explain_plan, explain_slot
from optimizer.explain.seen import Seen
from optimizer.explain.statement import Reason
from optimizer.explain.wish import told
from optimizer.kept_prices import KeptPrices
from optimizer.refusals import check_problem

ISOLATES = "\u2068\u2069"


def plain(text: str) -> str:
    return text.translate({ord(mark): None for mark in ISOLATES})


def sentence(language: str, key: str, **facts: Any) -> str:
    teller = Told(words(language), ZoneInfo("Africa/Casablanca"), "MAD")
    return plain(teller.sentence({"key": key, "facts": facts}))


def test_numbers_units_times_and_signs_are_those_of_the_language() -> None:
    facts = {"job": "llm-7", "wished_at": "2026-07-01T14:00:00Z", "difference_money": 1312.4}
    more = {"signed_kg": 41.0, "signed_mw": -0.25}
    assert sentence("en", "whatif.dearer", **facts, **more) == (
        "llm-7 at Wed 1 Jul 15:00 costs 1,312\u00a0MAD more; emissions +41.0\u00a0kg, "
        "highest import \u22120.250\u00a0MW."
    )
    assert sentence("fr", "whatif.dearer", **facts, **more) == (
        "llm-7 le mer. 1 juil. 15:00 coûte 1\u202f312\u00a0MAD de plus ; émissions +41,0\u00a0kg, "
        "pointe d’importation \u22120,250\u00a0MW."
    )


def test_a_trifle_has_no_sign() -> None:
    assert sentence("en", "diff.term", part_term="import", signed_money=-1e-12) == "Energy bought: 0.00\u00a0MAD"


def test_a_statement_without_its_fact_is_not_told() -> None:
    with pytest.raises(KeyError, match="slack_h"):
        sentence("en", "start.slack", job="a", deadline_at=at(0))


def test_every_reason_has_its_words() -> None:
    for language in LANGUAGES:
        told_reasons = {key.removeprefix("reason.") for key in catalogue(language) if key.startswith("reason.")}
        assert told_reasons == {reason.value for reason in Reason}


def test_every_key_that_the_explanations_name_has_a_sentence() -> None:
    known = {key.removeprefix("why.") for key in catalogue("en") if key.startswith("why.")}
    source = "".join(path.read_text() for path in Path(optimizer.explain.__file__).parent.glob("*.py"))
    named = set(re.findall(r"""Statement\(\s*"([a-z_.A-Z]+)\"""", source))
    assert len(named) > 40
    assert named <= known


def statements() -> Iterator[dict[str, Any]]:
    """What explanations of random days, a what-if and a diff have to say."""
    for seed in (2, 5):
        received = check_problem(random_days.day(seed))
        plan = plan_here(received)
        if plan.objective is None:
            continue
        seen = Seen.of(received, plan)
        for sections in (
            explain_plan(seen),
            *(explain_job(seen, e.id) for e in seen.problem.entries),
            *(explain_slot(seen, t) for t in range(seen.problem.slots)),
        ):
            yield from (s.to_json() for told_ in sections.values() for s in told_)
    document = day(
        job("a", 1.0, unmet_cost_per_h=90.0), job("b", 2.0, pinned_start=at(1)), grid={"import_limit_mw": 1.0}
    )
    seen = Seen.of(check_problem(document), planned(document))
    later = copy.deepcopy(document)
    later["series"]["import_price_per_mwh"] = [50.0, 20.0, 30.0, 10.0]
    other = Seen.of(check_problem(later), planned(later))
    wishes = [told(what_if(seen, "a", parse_rfc3339(at(t)), lambda r, _: plan_here(r))) for t in range(3)]
    with_prices = Seen.of(*_priced())
    for sections in (
        *wishes,
        compare(seen, other, lambda r, _: plan_here(r)),
        explain_slot(with_prices, 1),
        explain_job(with_prices, "a"),
    ):
        yield from (s.to_json() for told_ in sections.values() for s in told_)


def _priced() -> tuple[ReceivedProblem, Plan, KeptPrices]:
    """A capped day with a pool, and slot prices kept with its plan."""
    pools = [{"name": "hall", "gpu": "any", "gpus": 8, "idle_w_per_gpu": 0.0}]
    document = day(job("a", 1.0), prices=[40.0, 30.0, 20.0, 10.0], pools=pools)
    rows = {"hall": (40.0, 30.0, 20.0, 10.0), "": (0.0,) * 4}
    prices = KeptPrices(parse_rfc3339(at(0)), rows, dict.fromkeys(rows, (0.5,) * 4), {"a": 10.0})
    return check_problem(document), planned(document), prices


def test_every_statement_is_told_in_every_language_and_leaves_no_place_open() -> None:
    tellers = [Told(words(language), ZoneInfo("UTC"), "EUR") for language in LANGUAGES]
    keys = set()
    for statement in statements():
        keys.add(statement["key"])
        places = {name for _, name, _, _ in Formatter().parse(str(catalogue("en")["why." + statement["key"]])) if name}
        assert places <= set(statement["facts"]), statement
        for teller in tellers:
            text = teller.sentence(statement)
            assert text.strip()
            assert "{" not in text
            if "reason" in statement:
                assert teller.reason(statement["reason"])
    assert len(keys) > 30
