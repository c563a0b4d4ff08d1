"""What was told of a plan is kept with it: after a restart, for two who ask at once, before anybody asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_day import at

from api import solving
from api.background import Background
from api.explaining import Explainer
from api.question import Question
from api.store import explanations
from api.store.engine import StateUnavailable, writing
from api.store.explanations import ExplanationStore
from api.store.tables import plans
from api.wiring import engine_of, explanations_of
from models.errors import Fault, InvalidInput
from tests.api.conftest import House
from tests.api.test_explanations import published
from tests.support.running_service import chergui_here

TOLD = {
    "problem_digest": "0" * 64,
    "objective": 12.0,
    "currency": "USD",
    "timezone": "UTC",
    "sections": {"cost": [{"key": "cost.term", "facts": {"part_term": "import", "amount_money": 12.0}}]},
}
WHY = "/api/v1/plans/{}/explanation?job=train&lang=en"


class Slow:
    """A solver whose answers come when they are let go, counted; each is a little dearer than the last."""

    def __init__(self, error: Exception | None = None) -> None:
        self.free = asyncio.Event()
        self.asked: list[Question] = []
        self._error = error

    async def explain(self, question: Question, *_: Any) -> dict[str, Any]:
        self.asked.append(question)
        await self.free.wait()
        if self._error is not None:
            raise self._error
        return {**TOLD, "objective": 12.0 + len(self.asked)}


def store_of(house: House) -> ExplanationStore:
    return explanations_of(house.doors.settings)[1]


def test_what_was_told_is_served_after_a_restart_without_a_solver(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_house()
    plan_id = published(first, 40.0)
    wish = json.dumps({"job": "train", "start": at(1)})
    paths = (f"explanation?job=train&slot={at(3)}", f"explanation?slot={at(1)}")
    before = [first.get(f"/api/v1/plans/{plan_id}/{path}").json() for path in paths]
    wished = first.post(f"/api/v1/plans/{plan_id}/what-if", wish).json()
    assert wished["sections"]["parts"]
    assert [s["key"] for s in before[1]["sections"]["prices"]] == ["price.slot_hidden", "price.kept"]
    monkeypatch.setattr(solving.sys, "executable", "/nowhere")
    again = make_house()
    assert [again.get(f"/api/v1/plans/{plan_id}/{path}").json() for path in paths] == before
    assert again.post(f"/api/v1/plans/{plan_id}/what-if", wish).json() == wished
    same_slot = f"explanation?slot={at(1).replace('01:00:00Z', '01:59:00%2B00:00')}"
    assert again.get(f"/api/v1/plans/{plan_id}/{same_slot}").json() == before[1]
    assert again.get(f"/api/v1/plans/{plan_id}/explanation?slot={at(0)}").status_code >= 500, "not told, and no solver"


def test_a_change_between_two_plans_goes_with_either(house: House) -> None:
    kept, engine = store_of(house), engine_of(house.doors.settings)
    a, b, c = (published(house, 40.0) for _ in range(3))
    for plan_id, question in ((a, Question()), (a, Question(other=b)), (a, Question(other=c)), (b, Question())):
        kept.keep(plan_id, question, TOLD)
    with writing(engine) as connection:
        connection.execute(plans.delete().where(plans.c.plan_id == b))
    assert kept.get(a, Question()) == kept.get(a, Question(other=c)) == TOLD
    assert kept.get(a, Question(other=b)) is None
    assert kept.get(b, Question()) is None


def test_the_first_answer_stays_until_another_release_asks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, plan_id = store_of(house), published(house, 40.0)
    assert kept.keep(plan_id, Question(job="train"), TOLD) == TOLD
    assert kept.keep(plan_id, Question(job="train"), {**TOLD, "objective": 13.0}) == TOLD
    monkeypatch.setattr(explanations, "RELEASE", "99")
    assert kept.get(plan_id, Question(job="train")) is None
    assert kept.keep(plan_id, Question(job="train"), {**TOLD, "objective": 13.0})["objective"] == 13.0
    assert kept.get(plan_id, Question(job="train")) == {**TOLD, "objective": 13.0}


def test_two_who_ask_at_once_hear_the_same_from_one_search(house: House) -> None:
    edition = house.doors.plans.named(published(house, 40.0))

    async def scene() -> None:
        solver, other = Slow(), Slow()
        here, there = (Explainer(s, store_of(house)) for s in (solver, other))  # type: ignore[arg-type]
        asked = [asyncio.create_task(here.explain(edition, Question(job="train"), 1.0)) for _ in range(2)]
        asked.append(asyncio.create_task(there.explain(edition, Question(job="train"), 1.0)))
        while not (solver.asked and other.asked):
            await asyncio.sleep(0.01)
        other.asked.append(Question())  # another process would find another number
        other.free.set()
        told = await asked[2]
        solver.free.set()
        assert [await one for one in asked] == [told] * 3
        assert told["objective"] == 14.0
        assert len(solver.asked) == 1

    asyncio.run(scene())


def test_who_does_not_wait_finds_it_later_and_a_failure_is_heard_once(house: House) -> None:
    edition = house.doors.plans.named(published(house, 40.0))

    async def scene() -> None:
        slow = Slow()
        explainer = Explainer(slow, store_of(house))  # type: ignore[arg-type]
        assert await explainer.explain_soon(edition, Question(job="train"), 1.0, 0.0) is None
        slow.free.set()
        assert await explainer.explain_soon(edition, Question(job="train"), 1.0, 5.0) == {**TOLD, "objective": 13.0}
        broken = Slow(InvalidInput("the question", [Fault("/job", "unknown", "nobody")]))
        explainer = Explainer(broken, store_of(house))  # type: ignore[arg-type]
        assert await explainer.explain_soon(edition, Question(job="x"), 1.0, 0.0) is None
        broken.free.set()
        await asyncio.sleep(0.05)
        with pytest.raises(InvalidInput, match="nobody"):
            await explainer.explain_soon(edition, Question(job="x"), 1.0, 0.0)
        assert broken.asked == [Question(job="x")]

    asyncio.run(scene())


def test_a_full_disk_keeps_nobody_from_hearing_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StateUnavailable(Path("state.db"), "database or disk is full")

    plan_id = published(house, 40.0)
    with monkeypatch.context() as patch:
        patch.setattr(ExplanationStore, "keep", full)
        assert house.get(WHY.format(plan_id)).status_code == 200
    assert store_of(house).get(plan_id, Question(job="train")) is None


def test_the_page_does_not_wait_and_comes_back_for_the_reasons(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_id = published(house, 40.0)
    monkeypatch.setattr("api.pages.routes.PATIENCE_S", 0.0)
    begun = time.monotonic()
    page = house.client.get(f"/plans/{plan_id}/why/train?lang=fr")
    assert (page.status_code, time.monotonic() - begun < 1.0) == (200, True)
    assert '<meta http-equiv="refresh"' in page.text
    assert "cette page revient" in page.text
    assert house.get(WHY.format(plan_id)).status_code == 200
    found = house.client.get(f"/plans/{plan_id}/why/train?lang=fr")
    assert "heures moins chères" in found.text
    assert "refresh" not in found.text


def test_a_published_plan_is_explained_before_anybody_asks_and_gives_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_id, kept, settings = published(house, 40.0), store_of(house), house.doors.settings
    background = Background(settings, rest_s=0.0)
    background.after(plan_id)
    background.look()
    background.stop()
    background.look()
    assert kept.get(plan_id, Question()) is None, "stopped before it had begun"
    background.after(plan_id)
    deadline = time.monotonic() + 60
    while kept.get(plan_id, Question()) is None and time.monotonic() < deadline:
        background.look()
        time.sleep(0.1)
    background.stop()
    monkeypatch.setattr(solving.sys, "executable", "/nowhere")
    told = house.get(WHY.format(plan_id)).json()
    assert [s["reason"] for s in told["sections"]["start"] if s["reason"]] == ["LOW_PRICE"]
    assert house.get(f"/api/v1/plans/{plan_id}/explanation").json()["sections"]["cost"]
    said = chergui_here("explain", plan_id, "--job", "train", "--lang", "fr", "--data-dir", str(settings.data_dir))
    assert said.exit_code != 0, "the folder says nothing of its site"
    settings.memo_path.write_text(settings.to_json(), encoding="utf-8")
    monkeypatch.setattr("optimizer.explain.seen.Seen.of", lambda *_: pytest.fail("told is told"))
    said = chergui_here("explain", plan_id, "--job", "train", "--lang", "fr", "--data-dir", str(settings.data_dir))
    assert said.exit_code == 0, said.stderr
    assert "[LOW_PRICE: heures moins chères]" in said.stdout
