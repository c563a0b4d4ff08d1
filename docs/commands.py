"""Writes docs/reference/commands.md from the commands themselves: `make docs`. A test holds it up to date."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from api.cli import app

PAGE = Path(__file__).parent / "reference" / "commands.md"
HEAD = """\
# Commands

Written by `make docs` from the commands themselves. `chergui COMMAND --help` says the same in the terminal.
"""


def leaves(command: Any, path: tuple[str, ...] = ("chergui",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    context = command.make_context(path[-1], [], resilient_parsing=True)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), (*path, name))


def root() -> Any:
    """The whole tree of commands."""
    return typer.main.get_command(app)


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_section(" ".join(path), command) for path, command in leaves(root()))


def _section(words: str, command: Any) -> str:
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    table = "\n".join(["| argument or option | meaning |", "|---|---|", *rows]) + "\n" if rows else ""
    arguments = "".join(f" {_metavar(p)}" for p in command.params if p.param_type_name == "argument")
    return f"\n## {words}\n\n`{words}{arguments}`\n\n{_prose(command.help or '')}\n" + (f"\n{table}" if table else "")


def _metavar(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper().strip("{}")
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        names = f"`{_metavar(parameter)}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    meaning = (getattr(parameter, "help", None) or "").strip()
    if parameter.required and parameter.param_type_name == "option":
        meaning += " Required."
    default = parameter.default
    if default not in (None, False, (), []) and not callable(default) and isinstance(default, str | int | float | Path):
        meaning += f" Default: `{default}`."
    return f"| {names} | {meaning.strip()} |".replace("\n", " ")


def _prose(text: str) -> str:
    return inspect.cleandoc(text.split("\f")[0])


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
