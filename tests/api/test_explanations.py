"""Why, what if and what changed, asked of published plans; the reasons are found in a child and kept."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from small_day import at, day, job, planned

from api import solving
from optimizer.document import dump_plan
from tests.api.conftest import House


def published(house: House, first: float) -> str:
    """A plan in force whose job waits for the cheapest hour, unless the first is cheaper."""
    pools = [{"name": "a", "gpu": "any", "gpus": 8, "idle_w_per_gpu": 0.0}]
    document = day(job("train", 1.0), prices=[first, 30.0, 20.0, 10.0], pools=pools)
    edition = {
        "site": "local",
        "valid_from": at(0),
        "valid_until": at(4),
        "problem": document,
        "plan": dump_plan(planned(document)),
        "prices": {
            "start": at(0),
            "power_per_mwh": {"a": [first, 30.0, 20.0, 10.0], "": [0.0] * 4},
            "gpu_per_h": {"a": [0.0, 0.5, 0.0, 0.0], "": [0.0] * 4},
            "work_per_h": {"train": 12.5},
        },
        "charts": {},
    }
    return str(house.doors.plans.publish(edition, {})["plan_id"])


@pytest.fixture
def plan_id(house: House) -> str:
    return published(house, 40.0)


def keys(answer: Any, section: str) -> list[str]:
    return [statement["key"] for statement in answer.json()["sections"][section]]


def test_a_job_s_reasons_come_with_sentences_and_are_kept(
    house: House, plan_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = house.get(f"/api/v1/plans/{plan_id}/explanation?job=train&lang=fr")
    assert told.status_code == 200, told.text
    assert told.headers["content-language"] == "fr"
    assert keys(told, "start")[:2] == ["job.runs", "start.moved"]
    reasons = [s for s in told.json()["sections"]["start"] if s["reason"]]
    assert [(s["reason"], s["reason_text"], s["money"]) for s in reasons] == [
        ("LOW_PRICE", "heures moins chères", pytest.approx(30.0))
    ]
    monkeypatch.setattr(solving.sys, "executable", "/nowhere")
    again = house.get("/api/v1/plans/current/explanation?job=train", **{"Accept-Language": "en"})
    assert again.json()["sections"]["start"][1]["sentence"].endswith("the earliest that it may.")
    page = house.client.get(f"/plans/{plan_id}/why/train?lang=en")
    assert page.status_code == 200, page.text
    assert "cheaper hours" in page.text
    assert f'href="/plans/{plan_id}#gantt"' in page.text


def test_a_wish_is_priced_and_changes_nothing(house: House, plan_id: str) -> None:
    wish = json.dumps({"job": "train", "start": at(1)})
    before = house.doors.plans.now()
    told = house.post(f"/api/v1/plans/{plan_id}/what-if?lang=en", wish)
    assert told.status_code == 200, told.text
    assert keys(told, "wish")[0] == "whatif.dearer"
    assert told.json()["sections"]["wish"][0]["facts"]["difference_money"] == pytest.approx(20.0)
    assert house.doors.plans.now() == before
    assert house.post(f"/api/v1/plans/{plan_id}/what-if", wish, scope="read").status_code == 403


def test_two_plans_are_compared(house: House, plan_id: str) -> None:
    other = published(house, 5.0)
    told = house.get(f"/api/v1/plans/{plan_id}/changes/{other}?causes=false", scope="write")
    assert told.status_code == 200, told.text
    assert "move.start" in keys(told, "jobs")
    assert "causes" not in told.json()["sections"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("explanation?job=nobody", 422, "is no job of the plan"),
        ("explanation?slot=noon", 422, "RFC 3339"),
        ("explanation?slot=2027-01-01T00:00:00Z", 422, "outside the plan's horizon"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    house: House, plan_id: str, path: str, status: int, said: str
) -> None:
    told = house.get(f"/api/v1/plans/{plan_id}/{path}")
    assert (told.status_code, said in told.text) == (status, True), told.text


def test_what_is_not_there_or_not_well_formed_is_told(house: House, plan_id: str) -> None:
    assert house.get("/api/v1/plans/pln_none/explanation").status_code == 404
    unknown = house.post(f"/api/v1/plans/{plan_id}/what-if", json.dumps({"job": "train", "begin": at(1)}))
    assert unknown.status_code == 422
    assert "/start" in unknown.text
    assert house.client.get(f"/api/v1/plans/{plan_id}/explanation").status_code == 401


def test_a_plan_that_breaks_a_rule_is_not_explained(house: House, edition: dict[str, Any]) -> None:
    broken = house.doors.plans.publish(copy.deepcopy(edition), {})["plan_id"]
    assert house.get(f"/api/v1/plans/{broken}/explanation").status_code == 422


def test_the_prices_of_the_solve_are_told_and_quoted(house: House, plan_id: str) -> None:
    told = house.get(f"/api/v1/plans/{plan_id}/explanation?slot={at(1)}&lang=en")
    assert told.status_code == 200, told.text
    kept = [s for s in told.json()["sections"]["prices"] if s["key"] == "price.kept"]
    facts = kept[0]["facts"]
    assert (facts["pool"], facts["power_price"], facts["gpu_money"]) == ("a", 30.0, 0.5)
    assert "30" in kept[0]["sentence"]
    quote = house.get(f"/api/v1/plans/{plan_id}/quote?pool=a&gpus=2&power_mw=1&hours=2")
    assert quote.status_code == 200, quote.text
    assert quote.json()["costs"] == pytest.approx([71.0, 51.0, 30.0])
    assert (quote.json()["cheapest"], quote.json()["dearest"]) == (at(2), at(0))
    for asked in ("pool=a&gpus=2&power_mw=1&hours=9", "pool=none&gpus=2&power_mw=1&hours=1"):
        assert house.get(f"/api/v1/plans/{plan_id}/quote?{asked}").status_code == 404
    assert house.get(f"/api/v1/plans/{plan_id}/quote?pool=a&gpus=2&power_mw=nan&hours=1").status_code == 422
