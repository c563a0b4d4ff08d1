"""``chergui guard``: the command line's door to the site guard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.guard.settings import CONFIG

app = typer.Typer(add_completion=False)


@app.command()
def guard(
    config: Annotated[Path, typer.Option(help="Configuration of this site's guard (TOML).")] = CONFIG,
    check: Annotated[bool, typer.Option("--check", help="Check the configuration and end.")] = False,
) -> None:
    """Read the grid meter every second and derate the site's caps where its import limit is near."""
    from agent.guard.main import main

    raise typer.Exit(main(config, check=check))
