"""Small faults put into the referee and the ladder one by one: how many of them the tests notice.

    python -m bench.mutants                       # a fixed sample of each file
    python -m bench.mutants --all optimizer/verify.py

A mutant is one changed comparison, sign, number, condition or dropped statement. Each is tried in a process of its own
that has the heavy libraries loaded already, with the tests that know its file; it is killed where any of them fails,
crashes or overstays. What survives is printed with its line, so that a test can be written for it or a reason given.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
REFEREE = ["optimizer/verify.py", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "optimizer/referee").glob("*.py"))]
LADDER = ["optimizer/ladder.py", "optimizer/replay.py", "optimizer/by_rule.py"]
JUDGING = [f"tests/optimizer/test_verify_{name}.py" for name in ("tampering", "verdicts", "rules", "duties", "ways")]
HELD = "tests/optimizer/test_verify_held.py"
"""Plans its day before it reads one, so that only the files it was written for wait for that."""
OF_HELD = ("optimizer/verify.py", *(f"optimizer/referee/{name}.py" for name in ("nodes", "thermal", "units")))
CLIMBING = ["tests/optimizer/test_by_rule.py", "tests/optimizer/test_ladder.py"]
LOADED = ("numpy", "pytest", "scipy.optimize", "scipy.sparse", "optimizer.refusals")
"""What every try needs and no mutant touches."""

PER_FILE, LIMIT_CPU_S, LIMIT_S = 25, 60, 900

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OTHER_SIGN: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_OTHER_CALL = {"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change of a file: the line, what was changed into what, and the changed source."""

    path: str
    line: int
    what: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: ``killed``, or ``survived``."""

    mutant: Mutant
    killed: bool
    seconds: float


def mutants_of(path: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its lines. Words and decorators are left alone: no rule reads them."""
    source = (ROOT / path).read_text()
    tree = ast.parse(source)
    found = []
    decorators = [top for node in ast.walk(tree) for top in getattr(node, "decorator_list", ())]
    decoration = {id(part) for top in decorators for part in ast.walk(top)}
    for number, node in enumerate(ast.walk(tree)):
        for what, change in () if id(node) in decoration else _changes(node):
            other = copy.deepcopy(tree)
            change(_nth(other, number))
            found.append(Mutant(path, getattr(node, "lineno", 0), what, ast.unparse(ast.fix_missing_locations(other))))
    return sorted(found, key=lambda m: (m.line, m.what))


def _nth(tree: ast.AST, number: int) -> ast.AST:
    return next(node for k, node in enumerate(ast.walk(tree)) if k == number)


Change = tuple[str, Callable[[ast.AST], None]]


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for k, operator in enumerate(node.ops):
            other = _OPPOSITE[type(operator)]
            yield f"{type(operator).__name__} -> {other.__name__}", _set_item("ops", k, other())
    elif isinstance(node, ast.BinOp) and type(node.op) in _OTHER_SIGN and not _is_text(node):
        other_sign = _OTHER_SIGN[type(node.op)]
        yield f"{type(node.op).__name__} -> {other_sign.__name__}", _set("op", other_sign())
    elif isinstance(node, ast.BoolOp):
        yield "and <-> or", _set("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", _set("operand", ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand)))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", _set("op", ast.UAdd())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value!r} -> {not node.value!r}", _set("value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value!r} -> {node.value + 1!r}", _set("value", node.value + 1)
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _OTHER_CALL:
            yield f"{name} -> {_OTHER_CALL[name]}", _renamed(_OTHER_CALL[name])
    elif isinstance(node, ast.If):
        yield "condition always true", _set("test", ast.Constant(value=True))
        yield "condition always false", _set("test", ast.Constant(value=False))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.YieldFrom | ast.Yield):
        yield "statement dropped", _set("value", ast.Constant(value=None))
    elif isinstance(node, ast.AugAssign) and type(node.op) in _OTHER_SIGN:
        augmented = _OTHER_SIGN[type(node.op)]
        yield f"{type(node.op).__name__}= -> {augmented.__name__}=", _set("op", augmented())
    elif isinstance(node, ast.Continue):
        yield "continue -> pass", _become_pass
    elif isinstance(node, ast.Break):
        yield "break -> pass", _become_pass


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _set(field: str, value: object) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, field, value)


def _set_item(field: str, number: int, value: object) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        getattr(node, field)[number] = value

    return change


def _renamed(name: str) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Attribute):
            node.func.attr = name
        elif isinstance(node.func, ast.Name):
            node.func.id = name

    return change


def _become_pass(node: ast.AST) -> None:
    node.__class__ = ast.Pass  # a statement without fields takes the place of another


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands out one module with another source."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec for the one module."""
        del path, target
        if fullname != self._name:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path), is_package=False)
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        exec(compile(self._source, str(self._path), "exec"), vars(module))


def notices(path: str, source: str, tests: Sequence[str]) -> tuple[bool, float]:
    """Whether the tests notice a source in the place of a file, and in how many seconds."""
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # their loading takes longer than the tests
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_CPU_S, LIMIT_CPU_S))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        sys.meta_path.insert(0, _Finder(name, ROOT / path, source))
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "--no-header", *tests])))
    status = _wait(child)
    return status != 0, time.monotonic() - begun


def _wait(child: int) -> int:
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def sampled(paths: Sequence[str], most: int | None, seed: int) -> list[Mutant]:
    """Mutants of some files, at most so many of each, drawn by chance."""
    dice, found = random.Random(seed), []
    for path in paths:
        mutants = mutants_of(path)
        found += mutants if most is None or len(mutants) <= most else dice.sample(mutants, most)
    return found


def tests_of(path: str) -> list[str]:
    """The tests that know a file."""
    if path in LADDER:
        return CLIMBING
    return [*JUDGING, HELD] if path in OF_HELD else JUDGING


def main() -> None:
    """Print each survivor and the share that was killed; exit 1 below 85 %."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*", default=[*REFEREE, *LADDER])
    parser.add_argument("--all", action="store_true", help="every mutant instead of a sample")
    parser.add_argument("--per-file", type=int, default=PER_FILE)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.chdir(ROOT)
    for name in LOADED:
        importlib.import_module(name)
    for path in sorted({tuple(tests_of(p)) for p in asked.paths}):
        own = (ROOT / asked.paths[0]).read_text()
        if notices(asked.paths[0], own, path)[0]:
            sys.exit(f"{' '.join(path)} fail without any mutant")
    verdicts: list[Verdict] = []
    mutants = sampled(asked.paths, None if asked.all else asked.per_file, asked.seed)
    for mutant in mutants:
        print(f"{len(verdicts)} of {len(mutants)}", end="\r", file=sys.stderr, flush=True)
        killed, seconds = notices(mutant.path, mutant.source, tests_of(mutant.path))
        verdicts.append(Verdict(mutant, killed, seconds))
        if not killed:
            print(f"survived  {mutant.path}:{mutant.line}  {mutant.what}", flush=True)
    sys.exit(_report(verdicts))


def _report(verdicts: list[Verdict]) -> int:
    for path in dict.fromkeys(v.mutant.path for v in verdicts):
        mine = [v for v in verdicts if v.mutant.path == path]
        print(f"{path:<36}{sum(v.killed for v in mine):>5} of {len(mine)} killed")
    killed = sum(v.killed for v in verdicts)
    share = killed / max(1, len(verdicts))
    print(f"{killed} of {len(verdicts)} mutants killed: {share:.1%}, in {sum(v.seconds for v in verdicts):.0f} s")
    return 0 if share >= 0.85 else 1


if __name__ == "__main__":
    main()
