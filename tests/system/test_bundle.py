"""No network at all: `make run` in a checkout, and the bundle unpacked, installed and run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
INNER = Path(__file__).with_name("empty_network.py")

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _user_namespaces() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not here: life without a network was NOT tested")
    tried = subprocess.run(["unshare", "-rn", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"user namespaces are forbidden here ({tried.stderr.strip()}): life without a network NOT tested")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve_without_network(port: int, command: list[str], cwd: Path) -> dict[str, Any]:
    """What :mod:`empty_network` saw. Proxies and indexes of this machine are taken from the environment."""
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(("PIP_", "UV_", "PYTHON", "MAKE"))}
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, str(INNER), str(port), *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def check_a_day_was_served(seen: dict[str, Any], port: int) -> None:
    assert seen["interfaces"] == ["lo"]
    assert seen["ready"] == 200, seen["said"]
    assert seen["page"] == 200, seen["said"]
    assert seen["charts"] > 0, seen["said"]
    assert f"http://127.0.0.1:{port}" in seen["said"]
    assert "chergui_" in seen["said"], "the first run prints the first key"
    assert not seen.get("killed"), "the service did not stop when asked"


def test_make_run_serves_a_planned_day_without_a_network(tmp_path: Path) -> None:
    subprocess.run(["make", "setup"], cwd=ROOT, check=True, capture_output=True)
    port = free_port()
    seen = serve_without_network(port, ["make", "run", f"PORT={port}", f"DATA={tmp_path / 'var'}"], ROOT)
    check_a_day_was_served(seen, port)


def test_the_bundle_installs_and_serves_without_a_network(tmp_path: Path) -> None:
    made = subprocess.run(["make", "bundle"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    archive = max((ROOT / "dist").glob("chergui-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    subprocess.run(["tar", "-C", str(tmp_path), "-xzf", str(archive)], check=True)
    (unpacked,) = tmp_path.glob("chergui-*")
    home = tmp_path / "installed"
    environment = {**os.environ, "PYTHON": sys.executable, "PIP_NO_INDEX": "1"}
    installed = subprocess.run(
        ["unshare", "-rn", "sh", str(unpacked / "install.sh"), str(home)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    shutil.rmtree(unpacked)
    port = free_port()
    run = [str(home / ".venv/bin/chergui"), "run", "--site", str(home / "sites/dakhla.toml")]
    seen = serve_without_network(port, [*run, "--data-dir", str(home / "var"), "--port", str(port)], tmp_path)
    check_a_day_was_served(seen, port)
