"""The commands of the service, each as an operator types it."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path

import pytest
from rich.console import Console

from api.commands.plan_tables import show
from ingest.site_file import read_site
from tests.support.running_service import chergui, chergui_here, running, small_site


def test_a_busy_port_is_told_with_its_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = chergui("run", "--site", "local", "--data-dir", str(tmp_path), "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert "chergui_" not in done.stdout


def test_others_are_not_served_without_a_key(tmp_path: Path) -> None:
    done = chergui_here("run", "--site", "local", "--data-dir", str(tmp_path), "--port", "0", "--host", "0.0.0.0")
    assert done.exit_code == 1
    assert "chergui key new" in done.stderr


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        done = chergui("run", "--site", "local", "--data-dir", str(service.folder), "--port", "0")
    assert done.returncode == 1
    assert "another service uses" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--site", "nowhere.toml"), 2, "check the path"),
        (("--site", "local", "--now", "yesterday"), 1, "RFC 3339"),
        (("--site", "local", "--host", "no.such.host.invalid"), 1, "unknown"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    done = chergui("run", "--data-dir", str(tmp_path), "--port", "0", *options)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path))
    made = chergui_here("key", "new", "--scope", "read", "--label", "grafana", *where)
    assert made.exit_code == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("chergui_")
    listed = chergui_here("key", "list", *where).stdout
    key_id = key.split("_")[1]
    assert key_id in listed
    assert "grafana" in listed
    assert key not in listed
    assert chergui_here("key", "revoke", key_id, *where).exit_code == 0
    assert "revoked" in chergui_here("key", "list", *where).stdout
    gone = chergui_here("key", "revoke", key_id, *where)
    assert (gone.exit_code, "no valid key" in gone.stderr) == (1, True)


def test_modes_are_listed_set_and_refused(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path), "--site", "local")
    assert "hall: shadow" in chergui_here("mode", *where).stdout
    assert chergui_here("mode", "hall", "auto", "--lease-s", "5", *where).exit_code == 0
    assert chergui_here("mode", "hall", *where).stdout == "hall: auto, lease 5 s\n"
    wrong = chergui_here("mode", "hell", "auto", *where)
    assert wrong.exit_code == 1
    assert "hell" in wrong.stderr
    assert chergui_here("mode", "hall", "hold", *where).exit_code == 2


def test_the_day_is_printed_and_published_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    where = ("--site", str(small_site(tmp_path)), "--data-dir", str(folder), "--now", "2026-11-25T06:07:00Z")
    told = chergui("plan", *where, "--json")
    assert told.returncode == 0, told.stderr
    assert "cost" in told.stderr, "progress while solving"
    assert list(folder.iterdir()) == []
    edition = json.loads(told.stdout)
    assert edition["valid_from"] == "2026-11-25T06:00:00Z"
    assert edition["problem"]["horizon"]["slots"] == 144
    console = Console(record=True, width=200, file=io.StringIO())
    show(edition, read_site(small_site(tmp_path)), console)
    text = console.export_text()
    for word in ("synthetic", "Hours", "Jobs", "Cost by term", "together", "saving", "plan: "):
        assert word in text
    rows = [line for line in text.splitlines() if line.startswith("│ Wed ")]
    assert len(rows) == 18, "from 06:00 on: Morocco is at UTC+0 since September 2026"
    assert chergui_here("plan", "--site", "nowhere.toml").exit_code == 2
    assert chergui_here("plan", "--site", "local", "--now", "1780272000").exit_code == 2
