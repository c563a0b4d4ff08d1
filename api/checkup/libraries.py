"""Python, our names, the libraries against the lock, and the solver at work."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from api import house

from .finding import Finding

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(;)?", re.MULTILINE)
_REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")
_REINSTALL = "install what the lock names: make setup"

# minimise 2 x with x >= 3: known without a solver to be 6.
_ONE_VARIABLE = """
import pyomo.environ as pyo
m = pyo.ConcreteModel(); m.x = pyo.Var(bounds=(3, None)); m.cost = pyo.Objective(expr=2 * m.x)
pyo.SolverFactory("appsi_highs").solve(m); print(pyo.value(m.cost))
"""


def names() -> Iterator[Finding]:
    """The packages come from one folder, and nobody else claims their names."""
    if found := house.strangers():
        yield Finding("packages", "fail", str(house.HouseDivided(house.home(), found)), "unset PYTHONPATH")
    else:
        yield Finding("packages", "ok", f"all in {house.home()}")
    for name, others in house.other_claims().items():
        yield Finding(
            "packages",
            "fail",
            f"the name {name!r} is also claimed by {', '.join(others)}",
            f"pip uninstall {' '.join(others)}, or give chergui an environment of its own",
        )


def lock_text() -> str | None:
    """The lock of this installation: carried by the wheel, or in the checkout; none in neither."""
    for place in (Path(house.__file__).with_name("runtime.lock"), house.home() / "requirements" / "runtime.lock"):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    return None


def pins(lock: str) -> dict[str, tuple[set[str], bool]]:
    """Distribution name to its locked versions, and whether every platform needs it."""
    found: dict[str, tuple[set[str], bool]] = {}
    for name, version, marker in _PIN.findall(lock):
        versions, always = found.get(_plain(name), (set(), False))
        found[_plain(name)] = (versions | {version}, always or not marker)
    return found


def libraries(lock: str | None, installed: Mapping[str, str], required: set[str]) -> Iterator[Finding]:
    """Installed versions (name to version) held against the lock; ``required`` may not be missing."""
    if lock is None:
        yield Finding("libraries", "note", "no lock beside this installation; versions were not compared")
        return
    pinned = pins(lock)
    missing = [n for n, (_, always) in pinned.items() if n not in installed and (always or n in required)]
    differing = [
        f"{n} {installed[n]} (lock: {' or '.join(sorted(versions))})"
        for n, (versions, _) in pinned.items()
        if n in installed and installed[n] not in versions
    ]
    if missing:
        yield Finding("libraries", "fail", f"missing: {', '.join(missing)}", _REINSTALL)
    if differing:
        yield Finding("libraries", "warn", f"not as tested: {', '.join(differing)}", _REINSTALL)
    if not missing and not differing:
        yield Finding("libraries", "ok", f"{len(pinned)} libraries as locked")


def retired(installed: Mapping[str, str]) -> Iterator[Finding]:
    """The distribution named ``pynvml`` is retired: its hook only adds a warning to ``import pynvml``."""
    if "pynvml" in installed:
        yield Finding(
            "libraries",
            "warn",
            f"the retired distribution pynvml {installed['pynvml']} is installed beside nvidia-ml-py",
            "pip uninstall pynvml (the module pynvml comes from nvidia-ml-py)",
        )


def installed_here() -> dict[str, str]:
    """Name to version of every distribution of this environment; the first on the path wins, as for imports."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        found.setdefault(_plain(distribution.name), distribution.version)
    return found


def required_here() -> set[str]:
    """Names of the distributions that ``chergui`` itself asks for."""
    asked = importlib.metadata.requires("chergui") or []
    return {_plain(match.group()) for line in asked if "extra ==" not in line and (match := _REQUIREMENT.match(line))}


def python() -> Iterator[Finding]:
    """The interpreter."""
    yield Finding("python", "ok", f"{sys.version.split()[0]} in {sys.prefix}")


def solver(timeout_s: float = 60.0) -> Iterator[Finding]:
    """A linear program of one variable, solved in a process of its own (a broken solver may end it)."""
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _ONE_VARIABLE], capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("solver", "fail", f"one variable was not solved in {timeout_s:g} s", _REINSTALL)
        return
    answer = done.stdout.strip()
    if done.returncode == 0 and re.fullmatch(r"\d+(\.\d+)?", answer) and abs(float(answer) - 6.0) < 1e-6:
        yield Finding("solver", "ok", f"HiGHS {importlib.metadata.version('highspy')} solves one variable to 6")
    else:
        last = (done.stderr.strip() or answer or "no answer").splitlines()[-1]
        yield Finding("solver", "fail", f"exit {done.returncode}: {last}", _REINSTALL)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
