"""The wheel alone, in an environment of its own, used from another directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from api.house import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
PROBLEM = ROOT / "tests" / "contract" / "documents" / "between-two-levels.json"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the locked backend itself, as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    try:
        done = subprocess.run([sys.executable, "-c", build], cwd=ROOT, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        pytest.fail(error.stderr)
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the installed console script from an empty directory.

    The environment holds our wheel and nothing else; the libraries come from the surrounding
    environment by a path file that leaves its editable install of this checkout out.
    """
    home = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    python = home / "venv" / "bin" / "python"
    here = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", here], capture_output=True, text=True, check=True).stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    libraries = home / "libraries"
    libraries.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "chergui" not in entry.name and entry.suffix != ".pth":
            (libraries / entry.name).symlink_to(entry)
    (site / "libraries.pth").write_text(f"{libraries}\n")
    empty = home / "elsewhere"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        script = "from api.cli import main; main()"
        return subprocess.run(
            [python, "-I", "-c", script, *arguments],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_the_wheel_carries_the_packages_and_their_data_but_no_test(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == set(PACKAGES)
    assert {"data/sites/dakhla.toml", "data/sites/local.toml", "api/runtime.lock"} <= set(names)
    missing = [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not {"__pycache__", "built"} & set(path.parts)  # what is made, not kept
        if path.relative_to(ROOT).as_posix() not in names
    ]
    assert missing == [], "files of the packages that an installed Chergui would lack"
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_console_script_is_declared(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    assert "chergui = api.cli:main" in archive.read(entry).decode()


def test_the_installed_packages_are_the_wheels(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout


def test_schema_and_solve_and_verify_work_from_another_directory(run: Run, tmp_path: Path) -> None:
    schema = run("schema", "problem")
    assert schema.returncode == 0, schema.stderr
    assert json.loads(schema.stdout)["type"] == "object"
    plan = tmp_path / "plan.json"
    # compiling the arithmetic anew takes a minute, and `make setup` shows that it compiles
    solved = run("solve", str(PROBLEM), "--method", "direct", "-o", str(plan))
    assert solved.returncode == 0, solved.stderr
    checked = run("verify", str(PROBLEM), str(plan))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_sample_sites_are_found(run: Run) -> None:
    checked = run("check", "dakhla")
    assert checked.returncode == 0, checked.stdout + checked.stderr
