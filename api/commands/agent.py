"""``chergui agent``: the command line's door to the node agent, which itself knows nothing of this roof."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.settings import CONFIG

app = typer.Typer(add_completion=False)


class Action(StrEnum):
    """What to do; :data:`agent.main.ACTIONS`."""

    run = "run"
    check = "check"
    apply_default = "apply-default"
    status = "status"
    disable = "disable"
    enable = "enable"
    forget = "forget"
    override = "override"


@app.command()
def agent(
    action: Annotated[
        Action,
        typer.Argument(
            help="run; check the configuration; apply-default once; print the status; disable (original limits back) "
            "and enable; forget the last orders; override the caps downwards."
        ),
    ] = Action.run,
    config: Annotated[Path, typer.Option(help="Configuration of this node's agent (TOML).")] = CONFIG,
    limit_w: Annotated[float | None, typer.Option(min=1, help="With override: at most this many W per GPU.")] = None,
    for_s: Annotated[
        float, typer.Option(min=0, max=86400, help="With override: for so many seconds; 0 ends it.")
    ] = 3600,
) -> None:
    """Hold this node's GPUs to the plan's caps while the lease holds, and to the default set without it."""
    from agent.main import main

    raise typer.Exit(main(action.value, config, limit_w=limit_w, for_s=for_s))
