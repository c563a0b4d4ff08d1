"""What is installed on a node: units that systemd takes, and an agent in one file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy").glob("chergui-*.service")) + sorted((ROOT / "deploy").glob("chergui-*.timer"))


def settings(unit: Path) -> dict[str, str]:
    lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_systemd_takes_every_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("NO SYSTEMD HERE: the units are not verified")
    for unit in UNITS:
        text = unit.read_text().replace("/opt/chergui/.venv/bin/chergui", sys.executable)
        (tmp_path / unit.name).write_text(text)
    for unit in UNITS:
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(tmp_path / unit.name)], capture_output=True, text=True, check=False
        )
        complaints = [line for line in done.stderr.splitlines() if unit.name in line]
        assert complaints == []


def test_the_agents_unit_has_a_watchdog_and_a_stop_action_and_the_gate_comes_before_work() -> None:
    agent = settings(ROOT / "deploy" / "chergui-agent.service")
    assert agent["Type"] == "notify"
    assert int(agent["WatchdogSec"]) >= 5, "several ticks of a second"
    assert "agent apply-default" in agent["ExecStopPost"]
    assert agent["Restart"] == "always"
    gate = settings(ROOT / "deploy" / "chergui-agent-gate.service")
    assert "slurmd.service" in gate["Before"].split()
    for name in ("agent", "agent-gate", "agent-deadman"):
        unit = settings(ROOT / "deploy" / f"chergui-{name}.service")
        assert (unit["StateDirectory"], unit["RuntimeDirectoryPreserve"]) == ("chergui-agent", "yes")


def test_the_one_file_agent_needs_python_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(["sh", "deploy/agent.sh"], cwd=ROOT, check=True, capture_output=True)
    config = tmp_path / "agent.toml"
    config.write_text('server = "http://127.0.0.1:9"\nnode = "hall-n1"\n')
    one_file = ROOT / "dist" / "chergui-agent.pyz"
    command = [sys.executable, "-I", "-S", str(one_file), "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "hall-n1 asks http://127.0.0.1:9/api/v1/caps/nodes/hall-n1, actuator dry-run" in done.stdout
    assert one_file.stat().st_size < 400_000
