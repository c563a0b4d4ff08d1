"""``chergui``: a contents page of commands; each one's module is imported when it is called.

``chergui verify`` must not import a solver, and ``chergui --help`` should not wait for one.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from api.house import require_one_house
from models.horizon import use_packaged_time_zones

_COMMANDS: dict[str, tuple[str, str]] = {
    "solve": ("api.commands.contract", "Solve a problem document and write the checked plan."),
    "verify": ("api.commands.contract", "Check a plan document against its problem; names every violation."),
    "schema": ("api.commands.contract", "Print the JSON Schema of the problem or the plan document."),
    "baseline": ("api.commands.contract", "Solve a problem first come, first served: the yardstick of savings."),
    "explain": ("api.commands.explain", "Say why a plan is as it is: cost, wishes, limits, prices, jobs."),
    "what-if": ("api.commands.explain", "Say what another start of a job would cost, and who else would move."),
    "diff": ("api.commands.explain", "Say what changed from one plan to another, and which inputs stand behind it."),
    "run": ("api.commands.service", "Run the service: web, planner and collector."),
    "plan": ("api.commands.plan", "Plan a site's day once and print it as a table."),
    "forecast": ("api.commands.forecast", "Train, score and show forecasts of sun and wind that learn from the site."),
    "learn": ("api.commands.learn", "Learn GPU curves, cooling and run times from measurements."),
    "key": ("api.commands.service", "Make, list or revoke API keys."),
    "mode": ("api.commands.service", "Show or set the mode of a pool or asset (shadow, auto, failsafe)."),
    "agent": ("api.commands.agent", "Hold this node's GPUs to the plan's caps, and to the default set without it."),
    "agent-test": ("api.commands.agent_test", "Play scripted cases to any agent, and say what it does well."),
    "guard": ("api.commands.guard", "Read the grid meter every second and derate the site's caps near its limit."),
    "check": ("api.commands.site", "Check a site file; lists every error at once."),
    "slurm": ("api.commands.slurm", "See what each Slurm job is to the plan, or let Slurm go."),
    "collect": ("api.commands.collect", "Ask a site's telemetry sources once, or collect until Ctrl-C."),
    "store": ("api.commands.store", "Make, check or move the telemetry store that a site file names."),
    "quarantine": ("api.commands.quarantine", "List telemetry that was flagged, with the reasons."),
    "invoice": ("api.commands.invoice", "Write a month's invoice by the site's tariff."),
    "init": ("api.commands.site", "Write a commented skeleton of a site file."),
    "doctor": ("api.commands.doctor", "Check the installation."),
}


class _Lazy(TyperGroup):
    """Imports a command's module when the command is asked for.

    Typer's own group, not click's: Typer may carry a click of its own, and one's exits and usage
    errors are strangers to the other.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        found = get_command(importlib.import_module(_COMMANDS[cmd_name][0]).app)
        return found.commands.get(cmd_name) if isinstance(found, TyperGroup) else found

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


app = typer.Typer(
    cls=_Lazy,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # the help must neither wait for Rich nor import every command
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chergui, version {version('chergui')}")
        raise typer.Exit


@app.callback()
def _chergui(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Plans the day of a GPU data centre around sun, wind, heat and price."""


def main() -> None:
    """Entry point of the console script."""
    require_one_house()
    use_packaged_time_zones()
    app(prog_name="chergui")
