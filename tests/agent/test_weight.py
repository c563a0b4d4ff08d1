"""The agent brings nothing that weighs, and nothing that is not its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_whole_agent_loads_the_standard_library_its_leaves_and_nvmls_binding() -> None:
    modules = ["agent." + path.stem for path in sorted((ROOT / "agent").glob("*.py")) if path.stem != "__main__"]
    script = f"""
import importlib, sys
before = set(sys.modules)
for name in {modules}:
    importlib.import_module(name)
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}} - set(sys.stdlib_module_names)))
print(*sorted(name for name in sys.modules if name.startswith("models.")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    packages, leaves = done.stdout.splitlines()
    assert [name for name in packages.split() if not name.startswith("_sysconfigdata")] == ["agent", "models", "pynvml"]
    assert leaves.split() == ["models.errors", "models.horizon", "models.lease", "models.strict_json"]
