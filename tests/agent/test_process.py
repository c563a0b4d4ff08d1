"""The agent as a real process on the NVML stand-in: start, weight, every way to lose it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.caps_server import CapsServer, body
from tests.support.gpu_world import build
from tests.support.node import FAST, Node


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml-agent"))


@pytest.fixture
def server() -> Iterator[CapsServer]:
    found = CapsServer()
    found.body = body(lease={"ttl_s": 900.0, "poll_s": 0.2, "stale_after_s": 120.0})
    yield found
    found.close()


@pytest.fixture
def node(tmp_path: Path, library: Path, server: CapsServer) -> Iterator[Node]:
    found = Node(tmp_path, library, server.url)
    yield found
    found.end()


@pytest.fixture
def controlled(node: Node) -> Node:
    """An agent that holds a plan: 600 W on GPU 0, the default 450 W on the others."""
    node.start()
    node.wait(lambda: node.limits() == [600, 450, 450, 450], "the plan's caps")
    return node


@pytest.mark.parametrize(
    "way", [["-m", "agent"], ["-c", "from api.cli import main; main()", "agent"]], ids=["bare", "chergui"]
)
def test_it_starts_within_half_a_second_and_weighs_under_60_mb(
    node: Node, tmp_path: Path, way: list[str], capsys: Any
) -> None:
    node.way = way
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        began = time.monotonic()
        process = node.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        said: list[str] = []
        while "READY=1" not in said:
            said += manager.recv(1000).decode().splitlines()
        ready_s = time.monotonic() - began
        spent = (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()
        assert node.limits()[1] == 200, "the least is set before READY: nothing is known yet"
        node.wait(lambda: node.state() == "CONTROLLED", "control")
        told = (Path("/proc") / str(process.pid) / "status").read_text()
        while "WATCHDOG=1" not in said:
            said += manager.recv(1000).decode().splitlines()
    cpu_s = (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")
    rss_mb = int(next(line for line in told.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    with capsys.disabled():
        print(
            f"\n{' '.join(way)}: READY after {ready_s:.2f} s ({cpu_s:.2f} s of CPU), at most {rss_mb:.1f} MB resident"
        )
    assert cpu_s <= 1.0, "half of that on a quiet machine; the wall clock is not ours on a busy one"
    assert ready_s <= 5
    assert rss_mb <= 60


def test_the_originals_are_kept_before_the_first_write_and_come_back(controlled: Node) -> None:
    kept = json.loads((controlled.folder / "state" / "originals.json").read_text())
    assert kept == {f"GPU-0{k}": 700.0 for k in range(4)}
    assert controlled.once("disable").returncode == 0
    controlled.wait(lambda: controlled.limits() == [700] * 4, "the original limits")
    controlled.wait(lambda: controlled.state() == "DISABLED", "the state")
    assert controlled.once("apply-default").returncode == 0, "the stop action leaves a disabled node alone"
    assert controlled.limits() == [700] * 4
    controlled.once("enable")
    controlled.wait(lambda: controlled.limits() == [600, 450, 450, 450], "control again")


def test_after_sigkill_the_stop_action_holds_the_default_and_raises_nothing(
    controlled: Node, server: CapsServer
) -> None:
    server.body = {
        **server.body,
        "plan_version": {"epoch": 1, "seq": 2},
        "gpus": [{"index": 0, "job": "llm-7", "limit_w": 600.0}, {"index": 1, "job": "b", "limit_w": 250.0}],
    }
    controlled.wait(lambda: controlled.limits() == [600, 250, 450, 450], "the second plan")
    process = controlled.running[0]
    refused = controlled.once("apply-default")
    assert refused.returncode == 3, "one writer: the living agent has the GPUs"
    assert f"process {process.pid}" in refused.stderr
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert controlled.limits()[0] == 600, "nobody has acted yet"
    done = controlled.once("apply-default")
    assert done.returncode == 0, done.stderr
    assert controlled.limits() == [450, 250, 450, 450]
    assert (controlled.folder / "run" / "no-admissions").exists()
    told = json.loads((controlled.folder / "run" / "default-set.json").read_text())
    assert told["suspend_order"] == ["low", "normal"]
    assert told["nodes_may_switch_off"] is True


def test_a_second_agent_is_refused(controlled: Node) -> None:
    second = controlled.once("run")
    assert second.returncode == 3
    assert "one writer per GPU" in second.stderr


def test_an_orderly_stop_leaves_the_default_set(controlled: Node) -> None:
    controlled.wait(lambda: not (controlled.folder / "run" / "no-admissions").exists(), "admissions")
    process = controlled.running[0]
    process.terminate()
    assert process.wait(20) == 0
    assert controlled.limits() == [450] * 4
    assert (controlled.folder / "run" / "no-admissions").exists()
    assert controlled.once("status").returncode == 1, "nobody runs"


def test_a_lost_service_ends_the_lease_in_two_steps(node: Node, server: CapsServer) -> None:
    server.body["lease"] = {"ttl_s": 3.0, "poll_s": 0.2, "stale_after_s": 1.0}
    server.ttl_s = 3
    node.start()
    node.wait(lambda: node.limits()[0] == 600, "the plan's cap")
    server.status = 503
    lost = time.monotonic()
    node.wait(lambda: node.state() == "STALE", "the first step")
    node.wait(lambda: node.limits()[0] == 450, "a grant dies early")
    assert not node.status()["default_set"]
    node.wait(lambda: node.state() == "FAILSAFE", "the second step")
    assert 2.0 < time.monotonic() - lost < 10
    node.wait(lambda: node.status()["default_set"], "the default set")
    assert (node.folder / "run" / "no-admissions").exists()
    server.status = 200
    node.wait(lambda: node.limits()[0] == 600, "the return, with the token of the entry")
    tokens = [asked["chergui-rejoin"] for asked in server.asked if "chergui-rejoin" in asked]
    assert len(set(tokens)) == 2, "one of the start, one of the loss"
    node.wait(lambda: not (node.folder / "run" / "no-admissions").exists(), "admissions again")


def test_a_lease_whose_poll_is_as_long_as_its_patience_never_goes_stale(node: Node, server: CapsServer) -> None:
    server.body["lease"] = {"ttl_s": 3.0, "poll_s": 1.0, "stale_after_s": 1.0}
    server.ttl_s = 3
    node.start()
    node.wait(lambda: node.limits()[0] == 600, "the plan's cap")
    node.wait(lambda: len(server.asked) >= 8, "eight questions")
    assert "STALE" not in (node.folder / "log.txt").read_text()


def test_without_the_token_nobody_comes_back(node: Node, server: CapsServer) -> None:
    server.echo = False
    node.start()
    node.wait(lambda: len(server.asked) >= 3 and node.status().get("last_answer") == "waits", "three answers")
    assert node.state() == "INIT_FAILSAFE"
    assert node.limits() == [450] * 4, "the default of the answer holds; its grant does not"


def test_a_stale_version_is_refused_and_so_it_is_after_a_restart(controlled: Node, server: CapsServer) -> None:
    server.body = {**server.body, "plan_version": {"epoch": 1, "seq": 9}}
    controlled.wait(lambda: controlled.status()["plan_version"]["seq"] == 9, "version 1.9")
    stale = {
        **server.body,
        "plan_version": {"epoch": 1, "seq": 3},
        "gpus": [{"index": 0, "job": "x", "limit_w": 690.0}],
    }
    server.body = stale
    controlled.wait(lambda: "older" in controlled.status()["last_answer"], "the refusal")
    controlled.running[0].kill()
    controlled.running[0].wait()
    (controlled.folder / "run" / "status.json").unlink()
    controlled.start()
    controlled.wait(lambda: "older" in controlled.status().get("last_answer", ""), "the refusal after a restart")
    assert controlled.state() == "INIT_FAILSAFE"
    assert 690 not in controlled.writes()
    assert controlled.limits() == [450] * 4


BAD = {
    "torn": b'{"schema_version": "1.0", "site": "lo',
    "nan": json.dumps(body((1, 9), gpus=[{"index": 0, "job": "x", "limit_w": float("nan")}])).encode(),
    "twice": b'{"schema_version": "1.0", "schema_version": "1.0"}',
    "schema 2": json.dumps(body((1, 9), schema_version="2.0")).encode(),
    "too high": json.dumps(body((1, 9), gpus=[{"index": 0, "job": "x", "limit_w": 701.0}])).encode(),
    "negative": json.dumps(body((1, 9), default=body()["default"] | {"limit_w": -1.0})).encode(),
    "no such GPU": json.dumps(body((1, 9), gpus=[{"index": 17, "job": "x", "limit_w": 690.0}])).encode(),
    "another node": json.dumps(body((1, 9), node="hall-n2")).encode(),
    "another number": json.dumps(body((1, 9))).encode(),
    "huge": b'{"x": "' + b"a" * (5 << 20) + b'"}',
}


def test_answers_that_lie_change_nothing_and_are_named(controlled: Node, server: CapsServer) -> None:
    for what, raw in BAD.items():
        before = controlled.status()["alarms"]
        server.raw = raw
        if what != "another number":
            server.body = {**server.body, "plan_version": {"epoch": 1, "seq": 9}}
        else:
            server.body = {**server.body, "plan_version": {"epoch": 1, "seq": 10}}
        controlled.wait(lambda before=before: controlled.status()["alarms"] > before, f"the alarm of {what}")  # type: ignore[misc]
        assert controlled.state() == "CONTROLLED", what
        assert controlled.limits() == [600, 450, 450, 450], what
    assert controlled.status()["plan_version"] == {"epoch": 1, "seq": 1}
    assert max(controlled.writes()) == 600


def test_a_refusal_is_no_word_about_caps(controlled: Node, server: CapsServer) -> None:
    for status in (401, 404, 410, 500):
        server.status = status
        controlled.wait(lambda s=status: f"status {s}" in controlled.status()["last_answer"], f"{status}")  # type: ignore[misc]
        assert (controlled.state(), controlled.limits()[0]) == ("CONTROLLED", 600)


def test_a_service_that_drips_holds_up_no_tick(node: Node, server: CapsServer) -> None:
    node.configure(timers="timeout_s = 0.5")
    server.drip = True
    node.start()
    node.wait(lambda: node.status().get("alarms", 0) >= 2, "the deadline, twice")
    before = node.status()["boot_s"]
    node.wait(lambda: node.status()["boot_s"] > before + 5 * FAST, "ticks")
    assert node.state() == "INIT_FAILSAFE"


def test_another_writer_is_overruled_and_a_lost_gpu_harms_no_other(controlled: Node) -> None:
    controlled.change(1, limit=690_000)
    controlled.wait(lambda: controlled.limits()[1] == 450, "our limit again")
    controlled.wait(lambda: controlled.status()["gpus"][1]["overwritten"] >= 1, "the count")
    controlled.change(2, flags="lost")
    controlled.wait(lambda: controlled.status()["gpus"][2]["lost"], "the loss")
    controlled.wait(lambda: controlled.status()["gpus"][0]["enforced_w"] == 600, "the others")
    controlled.change(2, flags="root-only", limit=700_000)
    controlled.wait(lambda: controlled.limits()[2] == 450, "the one that came back")


def test_a_driver_that_is_loaded_anew_is_capped_anew(controlled: Node) -> None:
    away = controlled.world.path.with_suffix(".away")
    gpus = controlled.gpus()
    controlled.world.path.rename(away)
    controlled.wait(lambda: controlled.status()["devices"] != "ok", "the loss of the driver")
    for gpu in gpus:
        gpu["limit"] = "700000"
    controlled.world.gpus = gpus
    controlled.world.save()
    controlled.wait(lambda: controlled.limits() == [600, 450, 450, 450], "caps on the new driver")


def test_a_limit_that_is_not_enforced_and_one_from_outside_are_seen(controlled: Node) -> None:
    controlled.change(3, enforced=380_000)
    controlled.wait(lambda: controlled.status()["gpus"][3]["enforced_w"] == 380, "the cap of the board's controller")
    assert controlled.status()["gpus"][3]["requested_w"] == 450
    controlled.change(1, flags="deaf", enforced=500_000, limit=460_000)
    controlled.wait(lambda: controlled.status()["gpus"][1]["enforced_w"] == 500, "what is enforced")
    assert "above the 450 W asked for" in (controlled.folder / "log.txt").read_text()


def test_without_permission_it_says_so_and_fails_the_gate(node: Node) -> None:
    for k in range(4):
        node.change(k, flags="no-permission")
    done = node.once("apply-default")
    assert done.returncode == 1
    assert "Permission" in done.stderr
    assert node.limits() == [700] * 4


def test_locked_clocks_follow_the_limit_with_the_power_limit_as_a_backstop(node: Node) -> None:
    node.configure("nvml-clocks", clocks="table = [[300, 1100], [450, 1400], [600, 1700]]")
    node.start()
    node.wait(lambda: [gpu.get("lock_max") for gpu in node.gpus()] == ["1700", "1400", "1400", "1400"], "the clocks")
    assert node.limits() == [600, 450, 450, 450]
    node.once("disable")
    node.wait(lambda: {gpu["lock_max"] for gpu in node.gpus()} == {"0"}, "clocks unlocked")


def test_a_dry_run_decides_and_touches_nothing(node: Node) -> None:
    node.configure("dry-run")
    node.start()
    node.wait(lambda: node.state() == "CONTROLLED", "control")
    node.wait(lambda: node.status()["gpus"][0]["requested_w"] == 600, "the decision")
    assert node.writes() == []
    assert node.limits() == [700] * 4
    assert not (node.folder / "run" / "no-admissions").exists()


def test_commands_of_the_default_set_are_run_with_the_set_in_their_environment(node: Node) -> None:
    script = node.folder / "told.sh"
    script.write_text(f'#!/bin/sh\necho "$1 $CHERGUI_REASON $CHERGUI_SUSPEND_ORDER" >> {node.folder}/told.txt\n')
    script.chmod(0o755)
    node.configure(measures=f'enter = ["{script}", "enter"]\nleave = ["{script}", "leave"]')
    node.start()
    node.wait(lambda: node.limits()[0] == 600, "control")
    node.running[0].terminate()
    node.running[0].wait()
    lines = (node.folder / "told.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["leave", "enter"]
    assert lines[-1] == "enter STOPPED low normal"


def test_the_site_guards_factor_is_applied_at_the_next_tick_and_its_silence_is_the_default(node: Node) -> None:
    factor = node.folder / "factor.json"
    said = 0

    def say(share: float, default: bool = False) -> None:
        nonlocal said
        said += 1
        beside = factor.with_suffix(".new")
        beside.write_text(json.dumps({"run": "a", "seq": said, "factor": share, "default": default}))
        beside.replace(factor)

    def said_and_done(share: float, limits: list[float], why: str) -> None:
        def there() -> bool:
            say(share)
            return node.limits() == limits

        node.wait(there, why)

    node.configure(guard=f'file = "{factor}"\nttl_s = 1.0')
    node.start()
    node.wait(lambda: node.state() == "CONTROLLED", "control")
    assert node.limits()[0] <= 450, "a guard that was never heard is no leave to go beyond the default"
    said_and_done(1.0, [600, 450, 450, 450], "the plan's caps")
    said_and_done(0.5, [300, 225, 225, 225], "the derate")
    said_and_done(0.9, [540, 405, 405, 405], "the rise")
    node.wait(lambda: node.limits() == [405] * 4, "the default, derated: silence lifts nothing")
    node.wait(lambda: node.status()["default_set"], "the default set")
    node.wait(lambda: (node.folder / "run" / "no-admissions").exists(), "no admissions")


def test_an_operators_override_lowers_and_ends(controlled: Node) -> None:
    controlled.once("override", "--limit-w", "300", "--for-s", "3600")
    controlled.wait(lambda: controlled.limits() == [300] * 4, "the override")
    controlled.wait(lambda: controlled.state() == "LOCAL_OVERRIDE", "its word for it, written after the devices'")
    controlled.once("override", "--for-s", "0")
    controlled.wait(lambda: controlled.limits() == [600, 450, 450, 450], "the plan again")


def test_it_reports_what_was_asked_for_set_and_enforced(controlled: Node, server: CapsServer) -> None:
    controlled.wait(lambda: server.reports and server.reports[-1]["state"] == "CONTROLLED", "a report")
    controlled.wait(lambda: server.reports[-1]["gpus"][0]["enforced_w"] == 600, "the enforced limit in a report")
    told = server.reports[-1]
    assert told["plan_version"] == {"epoch": 1, "seq": 1}
    assert 800 < told["lease_remaining_s"] <= 900
    gpu = told["gpus"][0]
    assert (gpu["uuid"], gpu["requested_w"], gpu["applied_w"]) == ("GPU-00", 600, 600)
    assert gpu["power_w"] == 430.0


def test_every_value_ever_written_is_allowed_and_the_first_is_no_higher_than_the_default(controlled: Node) -> None:
    assert set(controlled.writes()) <= {200.0, 450.0} | {w for w in controlled.writes() if w <= 600}
    assert controlled.writes()[:4] == [200.0] * 4, "before the first answer the least that the device accepts"


def test_a_service_that_is_busy_is_told_again_and_one_without_the_door_left_in_peace(
    node: Node, server: CapsServer
) -> None:
    server.report_status = 503
    node.start()
    node.wait(lambda: len(server.reports) >= 2, "another report after a 503")
    server.report_status = 404
    before = len(server.reports)
    node.wait(lambda: len(server.reports) > before, "the report that is answered 404")
    told, asked = len(server.reports), len(server.asked)
    node.wait(lambda: len(server.asked) > asked + 8, "questions that go on")
    assert len(server.reports) <= told + 1, "the one that was under way"
