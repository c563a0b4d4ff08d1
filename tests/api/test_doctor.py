"""`chergui doctor`: each check finds what it is for, and says nothing where nothing is wrong."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

from api.checkup import host, libraries

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
LOCK = """\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:01
rich==15.0.0 \\
    --hash=sha256:02
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:03
"""


def states(findings: object) -> list[str]:
    return [finding.state for finding in findings]  # type: ignore[attr-defined]


def test_libraries_as_locked_are_ok_whichever_marker_applies() -> None:
    found = libraries.libraries(LOCK, {"numpy": "2.5.5", "rich": "15.0.0"}, {"numpy", "rich"})
    assert states(found) == ["ok"]


def test_another_version_warns_and_a_missing_library_fails() -> None:
    found = list(libraries.libraries(LOCK, {"rich": "14.0.0"}, {"numpy", "rich"}))
    assert states(found) == ["fail", "warn"]
    assert "numpy" in found[0].seen
    assert "rich 14.0.0 (lock: 15.0.0)" in found[1].seen
    assert all(finding.mend for finding in found)


def test_this_installation_is_compared_with_the_real_lock() -> None:
    lock = libraries.lock_text()
    assert lock is not None
    pinned = libraries.pins(lock)
    assert libraries.required_here() <= pinned.keys()


def test_the_retired_pynvml_distribution_is_named() -> None:
    assert states(libraries.retired({"pynvml": "13.0.1"})) == ["warn"]
    assert states(libraries.retired({"nvidia-ml-py": "13.615.71"})) == []


def test_the_solver_solves_one_variable() -> None:
    assert states(libraries.solver()) == ["ok"]


def test_a_solver_that_does_not_answer_in_time_fails() -> None:
    assert states(libraries.solver(timeout_s=0.01)) == ["fail"]


def test_stores_are_fine_in_an_empty_directory_and_leave_nothing(tmp_path: Path) -> None:
    assert "fail" not in states(host.stores(tmp_path / "var"))
    assert list((tmp_path / "var").iterdir()) == []


def test_a_place_that_is_no_directory_fails(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    assert states(host.stores(tmp_path / "var")) == ["fail"]


def test_a_damaged_database_fails_by_name(tmp_path: Path) -> None:
    sound, damaged = tmp_path / "sound.sqlite", tmp_path / "damaged.sqlite"
    for path in (sound, damaged):
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE t (x)")
            database.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
            database.commit()
    content = bytearray(damaged.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    damaged.write_bytes(content)
    found = list(host.stores(tmp_path))
    assert [finding.seen.split(" is damaged")[0] for finding in found if finding.state == "fail"] == [str(damaged)]
    assert "2 database(s)" in found[-1].seen


def test_a_clock_in_the_wrong_decade_fails() -> None:
    assert states(host.clock(datetime(1970, 1, 1, tzinfo=UTC))) == ["fail"]
    assert states(host.clock(datetime(2099, 1, 1, tzinfo=UTC))) == ["fail"]
    assert states(host.clock(NOW))[0] in {"ok", "warn"}


def test_a_system_with_older_rules_is_told_from_when_it_is_wrong(tmp_path: Path) -> None:
    # Paris stands in for an older file of another place: its summer time ends on 2026-10-25 at 01:00Z.
    (tmp_path / "Africa").mkdir()
    with as_file(files("tzdata.zoneinfo").joinpath("Europe", "Paris")) as paris:
        (tmp_path / "Africa" / "Lagos").write_bytes(paris.read_bytes())
    (found,) = host.time_zones("Africa/Lagos", NOW, [tmp_path])
    assert found.state == "warn"
    assert "2027-03-28T01:00:00Z" in found.seen
    assert "(UTC+2 there, UTC+1 here)" in found.seen


def test_a_system_that_agrees_or_has_no_data_is_fine(tmp_path: Path) -> None:
    assert states(host.time_zones("Africa/El_Aaiun", NOW, [tmp_path])) == ["ok"]
    with as_file(files("tzdata").joinpath("zoneinfo")) as ours:
        assert states(host.time_zones("Africa/El_Aaiun", NOW, [Path(ours)])) == ["ok"]


def test_morocco_stays_on_utc_in_our_zone_data(tmp_path: Path) -> None:
    (tmp_path / "Africa").mkdir()
    with as_file(files("tzdata.zoneinfo").joinpath("UTC")) as utc:
        (tmp_path / "Africa" / "El_Aaiun").write_bytes(utc.read_bytes())
    assert states(host.time_zones("Africa/El_Aaiun", datetime(2026, 9, 21, tzinfo=UTC), [tmp_path])) == ["ok"]
    before = list(host.time_zones("Africa/El_Aaiun", datetime(2026, 8, 1, tzinfo=UTC), [tmp_path]))
    assert states(before) == ["warn"]


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (found,) = host.port(taken.getsockname()[1])
    assert found.state == "warn"


def test_the_command_exits_0_where_nothing_fails_and_1_where_something_does(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from api.cli import main; main()", "doctor", "--data-dir"]
    good = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, cwd="/")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "solver" in good.stdout
    (tmp_path / "file").write_text("")
    bad = subprocess.run([*command, str(tmp_path / "file")], capture_output=True, text=True, check=False, cwd="/")
    assert bad.returncode == 1
    assert "--data-dir" in bad.stdout
