"""``chergui solve | verify | schema | baseline``: the contract's commands, on files.

Exit codes: 0 plan or clean, 1 violations, 2 bad document, 3 infeasible, 4 neither a plan nor a proof.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from models.errors import InvalidInput, NoPlanInTime
from optimizer.document import Plan, ReceivedProblem, dump_plan, read_plan
from optimizer.document import schema as json_schema
from optimizer.refusals import read_problem

app = typer.Typer(add_completion=False, no_args_is_help=True)

ProblemFile = Annotated[Path, typer.Argument(help="Problem document (JSON).", show_default=False)]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the plan; default: print it.")]


def fail(code: int, text: str) -> typer.Exit:
    """The exit to raise, with its reason on standard error."""
    print(text, file=sys.stderr)
    return typer.Exit(code)


def read_bytes(path: Path) -> bytes:
    """A file, or exit 2."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise fail(2, f"{path} cannot be read: {error.strerror}") from None


def read_problem_file(path: Path) -> ReceivedProblem:
    """A checked problem document, or exit 2."""
    try:
        return read_problem(read_bytes(path))
    except InvalidInput as error:
        raise fail(2, f"{path}: {error}") from None


def _write(plan: Plan, path: Path | None) -> None:
    """Print a plan, or put it in place whole: a reader never sees half of it."""
    text = json.dumps(dump_plan(plan), indent=1) + "\n"
    if path is None:
        print(text, end="")
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise fail(2, f"{path} cannot be written: {error.strerror}") from None


@app.command()
def solve(
    problem: ProblemFile,
    output: Output = None,
    gap: Annotated[float | None, typer.Option(min=0, help="Relative gap wanted; default: the document's.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds to solve; default: the document's.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the solver.")] = 1,
    method: Annotated[
        Literal["auto", "direct", "large"],
        typer.Option(help="direct: HiGHS on the whole model; large: slot prices; auto: by size and shape."),
    ] = "auto",
) -> None:
    """Solve a problem document and write the checked plan."""
    from optimizer.rolling import SolverFault, plan

    received = read_problem_file(problem)
    try:
        made = plan(received, gap=gap, time_limit_s=time_limit, threads=threads, method=method)
    except (NoPlanInTime, SolverFault) as error:
        raise fail(4, str(error)) from None
    _write(made, output)
    if made.status == "infeasible":
        raise fail(3, "infeasible:\n" + "\n".join(f"  {sentence}" for sentence in made.conflicts))
    shown = "gap not known yet" if made.gap is None or made.gap > 0.5 else f"gap {made.gap:.4%}"
    print(
        f"{made.status} ({made.rung}): objective {made.objective:.6g} {received.document.site.currency}, "
        f"{shown}, {made.solve_seconds:.1f} s",
        file=sys.stderr,
    )


@app.command()
def verify(problem: ProblemFile, plan: Annotated[Path, typer.Argument(help="Plan document (JSON).")]) -> None:
    """Check a plan document against its problem; names every violation."""
    from optimizer.verify import verify as judge

    received = read_problem_file(problem)
    try:
        judged = read_plan(read_bytes(plan))
    except InvalidInput as error:
        raise fail(1, f"{plan}: {error}") from None
    violations = judge(received, judged)
    for violation in violations:
        print(f"{violation.rule}: {violation.sentence}")
    if violations:
        raise typer.Exit(1)
    print("clean")


@app.command()
def schema(which: Annotated[Literal["problem", "plan"], typer.Argument(help="Which document.")]) -> None:
    """Print the JSON Schema of the problem or the plan document."""
    print(json.dumps(json_schema(which), indent=1))


@app.command()
def baseline(problem: ProblemFile, output: Output = None) -> None:
    """Plan a problem first come, first served: the yardstick of savings."""
    from optimizer.baselines import first_come_first_served

    received = read_problem_file(problem)
    made = first_come_first_served(received)
    if made is None:
        raise fail(3, "first come, first served leaves work undone that must be done: there is no yardstick")
    _write(made, output)
    print(f"first come, first served: {made.objective:.6g} {received.document.site.currency}", file=sys.stderr)
