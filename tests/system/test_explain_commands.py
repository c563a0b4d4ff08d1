"""``chergui explain``, ``what-if`` and ``diff`` as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_day import at, day, job, planned

from optimizer.document import dump_plan
from tests.support.running_service import chergui_here


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Problems ``a`` and ``b`` (another price), their plans, and the first as an edition."""
    where = tmp_path_factory.mktemp("plans")
    for name, first in (("a", 40.0), ("b", 5.0)):
        document = day(job("train", 1.0), job("large", 9.0, unmet_cost_per_h=1.0), prices=[first, 30.0, 20.0, 10.0])
        plan = dump_plan(planned(document))
        _write(where / f"{name}.json", document)
        _write(where / f"{name}-plan.json", plan)
        _write(where / f"{name}-edition.json", {"plan_id": "pln_1", "problem": document, "plan": plan})
    return where


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def test_a_plan_is_explained_in_sentences_and_as_facts(folder: Path) -> None:
    where = (str(folder / "a-plan.json"), "--problem", str(folder / "a.json"))
    said = chergui_here("explain", *where, "--job", "train")
    assert said.exit_code == 0, said.stderr
    assert "train starts at Mon 9 Nov 03:00, 3.00\u00a0h after Mon 9 Nov 00:00" in said.stdout
    assert "+30.00\u00a0USD for energy in other hours (Energy bought) [LOW_PRICE: cheaper hours]" in said.stdout
    french = chergui_here("explain", *where, "--job", "train", "--lang", "fr").stdout
    assert "+30,00\u00a0USD pour l’énergie à d’autres heures" in french
    facts = json.loads(chergui_here("explain", *where, "--json").stdout)
    assert facts["sections"]["prices"][0]["key"] == "price.range"
    assert facts["currency"] == "USD"
    slot = chergui_here("explain", str(folder / "a-edition.json"), "--slot", "2026-11-09T03:20:00Z")
    assert "train draws 1.000\u00a0MW" in slot.stdout


def test_a_wish_has_its_price_or_its_reason(folder: Path) -> None:
    asked = ("--job", "train", "--start", at(1), "--plan", str(folder / "a-plan.json"), "--time-limit", "5")
    said = chergui_here("what-if", str(folder / "a.json"), *asked)
    assert said.exit_code == 0, said.stderr
    assert "train at Mon 9 Nov 01:00 costs 20.00\u00a0USD more" in said.stdout
    assert "Nobody but train moves." in said.stdout


def test_two_plans_are_compared_with_their_causes(folder: Path) -> None:
    said = chergui_here("diff", str(folder / "a-edition.json"), str(folder / "b-edition.json"), "--time-limit", "5")
    assert said.exit_code == 0, said.stderr
    assert "train moves from Mon 9 Nov 03:00 to Mon 9 Nov 00:00." in said.stdout
    assert "\u22125.00\u00a0USD from prices, changed alone" in said.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "a-plan.json"), "--problem"),
        (("explain", "nowhere.json"), "cannot be read"),
        (("explain", "a-edition.json", "--job", "nobody"), "is no job of the plan"),
        (("explain", "a-edition.json", "--slot", "noon"), "RFC 3339"),
        (("explain", "a-edition.json", "--slot", "2027-01-01T00:00:00Z"), "outside the plan's horizon"),
        (("explain", "b-plan.json", "--problem", "a.json"), "digest"),
        (("what-if", "a.json", "--job", "train", "--start", at(9)), "outside the horizon"),
        (("what-if", "a.json", "--job", "train", "--start", "2026-11-09T00:30:00Z"), "slot border"),
    ],
)
def test_wrong_questions_are_told_with_their_mend(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = chergui_here(*(str(folder / word) if word.endswith(".json") else word for word in words))
    assert done.exit_code == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kept_plan_is_asked_for_by_its_id(tmp_path: Path) -> None:
    done = chergui_here("explain", "current", "--data-dir", str(tmp_path))
    assert done.exit_code == 2
    assert "current" in done.stderr
