"""``chergui agent``: the command line's door to the node agent, which itself knows nothing of this roof."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from agent.settings import CONFIG

app = typer.Typer(add_completion=False)
_N = TypeVar("_N", int, float)


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
    sweep = "sweep"


@app.command()
def agent(
    action: Annotated[
        Action,
        typer.Argument(
            help="run; check the configuration; apply-default once; print the status; disable (original limits back) "
            "and enable; forget the last orders; override the caps downwards; sweep: measure a running job."
        ),
    ] = Action.run,
    config: Annotated[Path, typer.Option(help="Configuration of this node's agent (TOML).")] = CONFIG,
    limit_w: Annotated[float | None, typer.Option(min=1, help="With override: at most this many W per GPU.")] = None,
    for_s: Annotated[
        float, typer.Option(min=0, max=86400, help="With override: for so many seconds; 0 ends it.")
    ] = 3600,
    limits: Annotated[
        str | None, typer.Option(help="With sweep: limits in W with commas, none above the present one, e.g. 400,300.")
    ] = None,
    progress: Annotated[
        Path | None, typer.Option(help="With sweep: file whose last line is the job's count of steps done.")
    ] = None,
    gpus: Annotated[str, typer.Option(help="With sweep: GPUs of the job by index, e.g. 0,1; all if empty.")] = "",
    out: Annotated[Path, typer.Option(help="With sweep: file for what was measured (JSON).")] = Path("sweep.json"),
    settle_s: Annotated[float, typer.Option(min=0, help="With sweep: seconds before measuring under a limit.")] = 10,
    window_s: Annotated[float, typer.Option(min=0.1, help="With sweep: seconds of one window.")] = 20,
    windows: Annotated[int, typer.Option(min=1, help="With sweep: windows under each limit.")] = 4,
    give_back: Annotated[
        bool, typer.Option("--give-back", help="With sweep: give back the limits that a killed sweep had found.")
    ] = False,
) -> None:
    """Hold this node's GPUs to the plan's caps while the lease holds, and to the default set without it."""
    from agent.main import main
    from agent.sweep import Order

    sweep = None
    if action is Action.sweep and not give_back:
        if limits is None or progress is None:
            raise typer.BadParameter("sweep needs --limits and --progress, or --give-back")
        sweep = Order(_numbers(limits, float), progress, out, _numbers(gpus, int), settle_s, window_s, windows)
    raise typer.Exit(main(action.value, config, limit_w=limit_w, for_s=for_s, sweep=sweep))


def _numbers(text: str, kind: type[_N]) -> tuple[_N, ...]:
    try:
        return tuple(kind(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers; write them with commas, such as 400,300") from None
