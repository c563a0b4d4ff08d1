"""``chergui``: a contents page of commands; each one's module is imported when it is called.

``chergui verify`` must not import a solver, and ``chergui --help`` should not wait for one.
"""

from __future__ import annotations

import importlib
from typing import Any

import click
from typer.main import get_command

from models.horizon import use_packaged_time_zones

_COMMANDS: dict[str, tuple[str, str]] = {
    "solve": ("api.commands.contract", "Solve a problem document and write the checked plan."),
    "verify": ("api.commands.contract", "Check a plan document against its problem; names every violation."),
    "schema": ("api.commands.contract", "Print the JSON Schema of the problem or the plan document."),
    "baseline": ("api.commands.contract", "Solve a problem first come, first served: the yardstick of savings."),
    "run": ("api.commands.service", "Run the service: web, planner and collector."),
    "plan": ("api.commands.plan", "Plan a site's day once and print it as a table."),
    "key": ("api.commands.service", "Make, list or revoke API keys."),
    "mode": ("api.commands.service", "Show or set the mode of a pool or asset (shadow, auto, hold, ...)."),
    "check": ("api.commands.site", "Check a site file; lists every error at once."),
    "init": ("api.commands.site", "Write a commented skeleton of a site file."),
    "doctor": ("api.commands.doctor", "Check the installation."),
}


class _Lazy(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[name]
        group: Any = get_command(importlib.import_module(module).app)
        found: click.Command | None = group.commands.get(name) if isinstance(group, click.Group) else group
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chergui", prog_name="chergui")
def _chergui() -> None:
    """Plans the day of a GPU data centre around sun, wind, heat and price."""


def main() -> None:
    """Entry point of the console script."""
    use_packaged_time_zones()
    _chergui()
