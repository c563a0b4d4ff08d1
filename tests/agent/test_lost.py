"""Real agents lose a real service, in every way that lines break, agents die and clocks jump: three properties.

Each agent is alone behind a line that the test breaks; devices are the NVML stand-in, so that what counts is what is
set on a device, not what an agent says. One event is one agent that is lost once. With ``make soak``, 1,000 events.

- P1: the caps of the lost are at the default or below once their lease is over; the sum of the defaults is proven to
  lie under the site's firm limit.
- P2: the version that an agent acts on, and keeps on its disk, never falls.
- P3: a living agent is in failsafe within its longest silence (a lease) and 5 s, whatever its wall clock does.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.kit.cases import jumping_clock
from agent.machine import NEVER
from bench.served_caps import JOB, ServedCaps, served_caps
from models.lease import Version
from models.safety import default_proof
from tests.support.faulty_line import BROKEN, OPEN, FaultyLine
from tests.support.gpu_world import build
from tests.support.node import Node

SOAK = "CHERGUI_SOAK" in os.environ
LEASE_S, SLACK_S = 9.0 if SOAK else 6.0, 5.0
DEFAULT_W = 350.0
AGENTS, EVENTS = (8, int(os.environ.get("CHERGUI_EVENTS", "1000"))) if SOAK else (4, 4)
SEED = int(os.environ.get("CHERGUI_SEED", "7"))
JUMPS_S = (-86_400, -3600, 3600, 86_400)


@dataclass
class Lost:
    """One node whose agent is lost now and then."""

    node: Node
    line: FaultyLine
    clock: dict[str, str]
    process: subprocess.Popen[bytes]
    highest: Version = NEVER
    fault: str = ""
    fell_s: list[float] = field(default_factory=list)

    @property
    def highest_w(self) -> float:
        return max(self.node.limits())

    def last_write_s(self) -> float:
        """When a limit was last set on one of its devices, on the clock that ``time.monotonic`` reads here."""
        rows = self.node.written.read_text().splitlines()
        return max(float(row.split()[0]) for row in rows[-8:])

    def look(self) -> None:
        """P2, on what it says and on what its disk holds."""
        told = self.node.status().get("plan_version")
        seen = [] if told is None else [Version(told["epoch"], told["seq"])]
        kept = self.node.folder / "state" / "orders.json"
        if kept.exists():
            seen.append(Version.parse(json.loads(kept.read_text())["seen"]))
            assert seen[-1] >= self.highest, f"on the disk {seen[-1]} after {self.highest}"
        if self.process.poll() is None and len(seen) > 1:
            self.highest = max(self.highest, min(seen))

    def lose(self, dice: random.Random) -> None:
        """Break something of it."""
        self.fault = dice.choice([*BROKEN, *BROKEN, "killed", "clock"])
        if self.fault == "killed":  # as systemd does: the stop action follows the kill
            self.process.kill()
            self.process.wait()
            assert self.node.once("apply-default").returncode == 0
            return
        if self.fault == "clock":
            Path(self.clock["KIT_CLOCK"]).write_text(f"{dice.choice(JUMPS_S)}\n")
        self.line.state = dice.choice(BROKEN) if self.fault == "clock" else self.fault

    def heal(self) -> None:
        """Mend it; a killed agent is started again."""
        self.line.state = OPEN
        Path(self.clock["KIT_CLOCK"]).write_text("0\n")
        if self.fault == "killed":
            self.process = self.node.start(**self.clock)
        self.fault = ""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedCaps]:
    with served_caps(tmp_path / "service", LEASE_S) as found:
        yield found


@pytest.fixture
def fleet(tmp_path: Path, served: ServedCaps) -> Iterator[list[Lost]]:
    (tmp_path / "nvml").mkdir()
    library = build(tmp_path / "nvml")
    found: list[Lost] = []
    for number in range(1, AGENTS + 1):
        folder = tmp_path / f"n{number}"
        (folder / "run" / "placement").mkdir(parents=True)
        (folder / "run" / "placement" / "1").write_text(json.dumps({"job": JOB, "gpus": [0, 1, 2, 3]}))
        (folder / "key").write_text(served.key)
        line = FaultyLine(("127.0.0.1", served.port))
        node = Node(folder, library, line.url)
        text = (folder / "agent.toml").read_text().replace('"hall-n1"', f'"hall-n{number}"')
        text = text.replace("tick_s", "timeout_s = 1.0\ntick_s")
        (folder / "agent.toml").write_text(f'key_file = "{folder}/key"\n{text}')
        clock = jumping_clock(folder)
        found.append(Lost(node, line, clock, node.start(**clock)))
    yield found
    for lost in found:
        lost.line.close()
        lost.process.kill()
        lost.process.wait()


def given(fleet: list[Lost], grant: float) -> list[int]:
    """Wait for a grant; who has it. A machine that starves some of them long enough goes on with the others."""
    began = time.monotonic()
    while True:
        for lost in fleet:
            lost.look()
        have = [k for k, lost in enumerate(fleet) if lost.highest_w == grant]
        waited = time.monotonic() - began
        if len(have) == len(fleet) or (have and waited > 20):
            return have
        shown = [(lost.node.limits(), lost.node.state()) for lost in fleet]
        assert waited < 100, f"the grant of {grant} W did not come within 100 s: {shown}"
        time.sleep(0.05)


def hit(fleet: list[Lost], served: ServedCaps, dice: random.Random) -> str:
    """Lose agents one by one, or the service for all of them."""
    what = dice.choices(["lines", "service stopped", "planner silent"], [8, 1, 1])[0]
    if what == "service stopped":
        os.kill(served.web, signal.SIGSTOP)
    elif what == "planner silent":
        served.silent = True
    else:
        for lost in fleet:
            lost.lose(dice)
    return what


def mend(fleet: list[Lost], served: ServedCaps) -> None:
    os.kill(served.web, signal.SIGCONT)
    served.silent = False
    for lost in fleet:
        lost.heal()


def test_whoever_is_lost_falls_to_the_default_in_time_and_no_version_falls(
    fleet: list[Lost], served: ServedCaps, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(SEED)
    proof = default_proof(served.doors.site)
    assert proof.holds, "the sum of the defaults lies under the firm limit"
    events: Counter[str] = Counter()
    try:
        while events.total() < EVENTS:
            grant = float(dice.randrange(400, 700, 10))
            served.publish(grant)
            granted = given(fleet, grant)
            began = time.monotonic()
            what = hit(fleet, served, dice)
            fell: dict[int, float] = {}
            while time.monotonic() - began < LEASE_S + SLACK_S and not fell.keys() >= set(granted):
                for k, lost in enumerate(fleet):
                    lost.look()
                    safe = lost.fault == "killed" or lost.node.state() == "FAILSAFE"
                    if what == "planner silent":  # the service speaks, and says that the lease is over
                        safe = lost.node.status().get("reason") == "LEASE_OVER"
                    if k not in fell and lost.highest_w <= DEFAULT_W and safe:
                        fell[k] = time.monotonic() - began
                time.sleep(0.02)
            for k in set(granted) - fell.keys():  # a machine that starves this test has not starved the agent
                if fleet[k].highest_w <= DEFAULT_W and fleet[k].node.state() == "FAILSAFE":
                    fell[k] = fleet[k].last_write_s() - began
            for k, lost in ((k, fleet[k]) for k in granted):
                assert k in fell, (
                    f"P1, P3: {what} {lost.fault}: {lost.node.limits()} W, {lost.node.state()} (seed {SEED})"
                )
                assert fell[k] <= LEASE_S + SLACK_S, f"P1, P3: {what} {lost.fault}: {fell[k]:.1f} s (seed {SEED})"
                assert lost.highest_w <= DEFAULT_W, f"P1: it rose without contact: {what} {lost.fault} (seed {SEED})"
                events[lost.fault or what] += 1
                lost.fell_s.append(fell[k])
            mend(fleet, served)
    finally:
        mend(fleet, served)
    took = sorted(s for lost in fleet for s in lost.fell_s)
    with capsys.disabled():
        print(f"\n{events.total()} agents lost, {dict(events)}: at the default after {took[len(took) // 2]:.2f} s")
        print(f"(median), {took[-1]:.2f} s (worst), allowed {LEASE_S + SLACK_S:g} s; no version fell")
