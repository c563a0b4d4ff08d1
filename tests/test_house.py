"""The house keeps its floors, its names and its locks."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api import house

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
HEAVY = set(
    "numpy pandas pyomo sklearn scipy pvlib windpowerlib highspy vl_convert influxdb_client pyarrow rich pynvml".split()  # noqa: SIM905
)
PHYSICS = {f"models.{name}" for name in ("gpu_power", "cooling", "cooling_plant", "solar", "wind", "site")}


def imported_by(*modules: str) -> set[str]:
    """What a fresh interpreter has loaded after importing ``modules``."""
    script = f"import sys, {', '.join(modules)}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "api.cli",
        "models.errors",
        "models.horizon",
        "models.strict_json",
        "models.site",
        "models.jobs",
        "optimizer.document",
    ],
)
def test_light_doors_import_nothing_heavy(module: str) -> None:
    assert imported_by(module).isdisjoint(HEAVY)


# The planner's side of the roof, and the commands that print; everything else in `api` the web process may import.
HEAVY_ROOMS = (
    "api.commands.",
    "api.checkup",
    "api.planner",
    "api.courses",
    "api.cycle",
    "api.desk",
    "api.gather",
    "api.pages.render",
    "api.forecasting",
    "api.evidence",
    "api.expected",
    "api.learned_cooling",
    "api.measured",
    "api.metered_plant",
    "api.export_counter",
    "api.sweep_report",
    "api.plant_states",
    "api.outlook",
    "api.reasons",
)


def test_whatever_the_web_process_may_import_brings_nothing_heavy() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "api").rglob("*.py"))]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in files if "migrations" not in path.parts]
    light = [name for name in modules if not name.startswith(HEAVY_ROOMS)]
    script = f"""
import importlib, sys
for name in {light}:
    importlib.import_module(name)
    if brought := sorted(set(sys.modules) & {HEAVY}):
        sys.exit(f"{{name}} brings {{brought}}")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def test_the_referee_loads_no_solver_no_part_and_no_physics() -> None:
    loaded = imported_by("optimizer.verify")
    strangers = {"pyomo", "highspy", "pandas", "scipy", "optimizer.build", "optimizer.solve"} | PHYSICS
    assert loaded.isdisjoint(strangers)
    assert not [name for name in loaded if name.startswith("optimizer.parts")]


def test_all_packages_come_from_one_folder() -> None:
    assert house.strangers() == {}
    assert house.home() == ROOT


def test_a_strangers_package_of_our_name_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("")
    script = (
        "import sys; import api.house as house; sys.path.insert(0, sys.argv[1]); sys.modules.pop('models');"
        "house.require_one_house()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"models in {tmp_path}" in done.stderr


def test_another_distributions_claim_on_our_names_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "sklearn_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sklearn-models\nVersion: 1.0\n")
    (info / "RECORD").write_text("models/__init__.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert house.other_claims() == {"models": ["sklearn-models"]}


def importers_of(library: str) -> set[str]:
    """Our files that import ``library``, wherever in the file."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in house.PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if library in {name.split(".")[0] for name in _imports(path)}
    }


def test_pynvml_is_imported_in_one_source_and_in_the_agent_only() -> None:
    assert {path.rpartition("/")[0] for path in importers_of("pynvml")} == {"ingest/sources/nvml", "agent"}


def test_one_file_knows_the_solvers_words() -> None:
    assert importers_of("highspy") == {"optimizer/solve.py"}


def _imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return names


def test_each_dependency_says_why_it_is_here() -> None:
    text = (ROOT / "pyproject.toml").read_text().split("[project]")[1]
    lines = [line for line in text.splitlines() if re.search(r'"[a-z0-9-]+>=', line) and "requires-python" not in line]
    named = PYPROJECT["project"]["dependencies"] + [n for g in PYPROJECT["dependency-groups"].values() for n in g]
    named += [n for extra in PYPROJECT["project"]["optional-dependencies"].values() for n in extra]
    assert len(lines) == sum(isinstance(name, str) for name in named)
    assert [line for line in lines if not re.search(r"# \w", line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|-f|--find-links|--trusted-host)\b", text, re.MULTILINE)
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(entries) > 3
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_locks_hold_everything_that_pyproject_names() -> None:
    def locked(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    def named(requirements: list[str | dict[str, str]]) -> set[str]:
        return {re.split(r"[<>=!~ ;\[]", item)[0].lower() for item in requirements if isinstance(item, str)}

    groups = PYPROJECT["dependency-groups"]
    assert named(PYPROJECT["project"]["dependencies"]) - locked("runtime.lock") == set()
    assert named(groups["test"] + groups["dev"]) - locked("dev.lock") == set()
    assert named(groups["build"]) - locked("build.lock") == set()


def test_no_lock_brings_the_retired_pynvml_distribution() -> None:
    for lock in LOCKS:
        assert not re.search(r"^pynvml==", lock.read_text(), re.MULTILINE)


def test_the_readmes_two_commands_are_targets_that_set_up_first() -> None:
    def steps(target: str) -> str:
        return subprocess.run(["make", "-nB", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    plan = {target: steps(target) for target in ("run", "test")}
    assert "deploy/setup.sh runtime" in plan["run"]
    assert "chergui run" in plan["run"]
    assert "deploy/setup.sh dev" in plan["test"]
    assert 'pytest -m "not peer"' in plan["test"]


def test_ci_runs_both_tests_and_stops_at_the_first_failure() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test", "make test-peers"]


def test_the_installed_distribution_is_this_one() -> None:
    assert importlib.metadata.version("chergui") == PYPROJECT["project"]["version"]
