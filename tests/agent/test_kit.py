"""The conformance kit: our agent passes it on the NVML stand-in, and one that believes everything does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agent.kit.cases import CASES
from agent.kit.main import Outcome, chosen, play
from agent.kit.stage import Subject
from models.errors import InvalidInput
from tests.support.gpu_world import World, build

GULLIBLE = Path(__file__).resolve().parents[1] / "support" / "gullible_agent.py"
SAMPLE = ["lease over", "older version", "wall clock jumps", "lost GPU", "stopped", "torn JSON", "wrong placement"]
"""In the fast tests; all of them with ``make soak``."""


def by_name(outcomes: list[Outcome]) -> dict[str, tuple[str, str]]:
    return {outcome.case: (outcome.verdict, outcome.why) for outcome in outcomes}


def on_stand_in(folder: Path) -> Subject:
    world = World(folder / "world.txt")
    for gpu in world.gpus:
        gpu["flags"] = "root-only"
    world.save()
    gpus = "{folder}/gpus.txt"
    return Subject(
        read=f"sed -n 's/.* limit=\\([0-9]*\\)[0-9][0-9][0-9] .*/\\1/p' {gpus}",
        lose=f"sed -i '3s/flags=.*/flags=lost/' {gpus}",
        find=f"sed -i '3s/limit=[0-9]*/limit=700000/; 3s/flags=.*/flags=root-only/' {gpus}",
        prepare=f"cp {world.path} {gpus}",
        env={"LD_LIBRARY_PATH": str(build(folder).parent), "NVML_STAND_IN": gpus},
    )


def test_our_agent_passes_on_devices_that_are_read_from_outside(tmp_path: Path) -> None:
    soak = "CHERGUI_SOAK" in os.environ
    outcomes = play(on_stand_in(tmp_path), chosen([] if soak else SAMPLE), at_once=4, actuator="nvml-power")
    assert {name: told for name, told in by_name(outcomes).items() if told[0] != "passed"} == {}
    assert len(outcomes) == (len(CASES) if soak else len(SAMPLE))


def test_an_agent_that_believes_everything_is_found_out() -> None:
    wanted = {"control": "passed", "lease over": "failed", "older version": "failed", "cap too high": "failed"}
    wanted |= {"another node": "failed", "lost GPU": "not run"}
    subject = Subject(f"{sys.executable} {GULLIBLE} {{url}} {{node}}")
    found = by_name(play(subject, chosen(list(wanted)), at_once=4))
    assert {name: verdict for name, (verdict, _) in found.items()} == wanted
    assert "701" in found["cap too high"][1], "it says what it saw"
    assert "--lose" in found["lost GPU"][1], "it says what is missing"


def test_an_agent_that_ends_is_told_with_its_last_words() -> None:
    subject = Subject(f"{sys.executable} -c 'raise SystemExit(\"no such device\")'")
    verdict, why = by_name(play(subject, chosen(["control"])))["control"]
    assert verdict == "failed"
    assert "no such device" in why


def test_cases_are_named_and_many() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 30
    with pytest.raises(InvalidInput, match="stale"):
        chosen(["nonsense"])
