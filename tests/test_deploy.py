"""What is deployed is well-formed: the unit for systemd, the scripts for any shell."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
UNIT = DEPLOY / "chergui.service"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here: deploy/chergui.service was NOT checked by systemd")
    # The interpreter stands in for the console script: systemd wants the command to exist.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/chergui/.venv/bin/chergui", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_systemd_calls_the_units_exposure_ok() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here: the hardening of deploy/chergui.service was NOT measured")
    command = ["systemd-analyze", "security", "--offline=true", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"Overall exposure level for chergui.service: ([\d.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) < 3.0


def test_the_unit_writes_nowhere_but_its_own_directory() -> None:
    service = sections("chergui.service")["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "chergui"
    assert "--data-dir /var/lib/chergui" in service["ExecStart"]
    assert "ReadWritePaths" not in service


def sections(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / name)
    return unit


@pytest.mark.parametrize("name", ["chergui-forecast", "chergui-learn-plant"])
def test_what_learns_beside_the_service_shares_its_user_and_directory_and_writes_nowhere_else(name: str) -> None:
    service = sections(f"{name}.service")["Service"]
    assert (service["User"], service["StateDirectory"], service["ProtectSystem"]) == ("chergui", "chergui", "strict")
    assert (service["Type"], service["StateDirectoryMode"]) == ("oneshot", "0700")
    assert "ReadWritePaths" not in service
    assert service["SuccessExitStatus"] == "1", "2 is bad input and fails the unit"
    assert sections(f"{name}.timer")["Timer"]["Persistent"] == "true"


def test_the_plant_is_learned_weekly_after_the_forecasts_by_a_command_that_exists(tmp_path: Path) -> None:
    """The words of the unit, run on a site that does not ask for it, end with 0 and learn nothing."""
    unit = sections("chergui-learn-plant.service")
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program == sections("chergui.service")["Service"]["ExecStart"].split()[0]
    words[words.index("/etc/chergui/site.toml")], words[words.index("/var/lib/chergui")] = "dakhla", str(tmp_path)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "nothing learned" in done.output
    assert not any(tmp_path.iterdir())
    assert "chergui-forecast.service" in unit["Unit"]["After"].split()
    assert sections("chergui-learn-plant.timer")["Timer"]["OnCalendar"].startswith("Sun ")


@pytest.mark.parametrize("script", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_plain_shell_and_stop_at_the_first_error(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "[[" not in text
