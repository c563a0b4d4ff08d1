"""``chergui agent-test``: the command line's door to the conformance kit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.errors import InvalidInput

app = typer.Typer(add_completion=False)


@app.command("agent-test")
def agent_test(
    agent: Annotated[
        str | None,
        typer.Option(
            help="Command line of the agent under test, with {url}, {node}, {key_file} and {folder} (its own, kept "
            "over a restart); none: ours, as a dry run."
        ),
    ] = None,
    read: Annotated[
        str | None, typer.Option(help="Command that prints the GPUs' limits, one a line in W; none: its reports count.")
    ] = None,
    lose: Annotated[str | None, typer.Option(help="Command that makes GPU 1 unreachable.")] = None,
    find: Annotated[str | None, typer.Option(help="Command that brings GPU 1 back.")] = None,
    prepare: Annotated[str | None, typer.Option(help="Command run before each stage, such as a reset of GPUs.")] = None,
    case: Annotated[list[str] | None, typer.Option(help="Only this case; may be given several times.")] = None,
    scale: Annotated[float, typer.Option(min=0.5, max=100, help="Stretches all times, for a slower agent.")] = 1.0,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="Agents that run side by side.")] = 2,
    report: Annotated[Path | None, typer.Option(help="Write the outcomes as JSON.")] = None,
    cases: Annotated[bool, typer.Option("--cases", help="List the cases and end.")] = False,
) -> None:
    """Play a service that tells the truth, lies and falls silent to an agent, and say what it does well."""
    from agent.kit.cases import CASES
    from agent.kit.main import main
    from agent.kit.stage import Subject

    if cases:
        for each in CASES:
            typer.echo(f"{each.name:26} {each.demand}")
        return
    subject = Subject(agent, read, lose, find, prepare, scale)
    try:
        raise typer.Exit(main(subject, case or [], at_once=at_once, report=report))
    except InvalidInput as error:
        typer.echo(f"chergui agent-test: {error}", err=True)
        raise typer.Exit(2) from None
