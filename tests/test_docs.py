"""What the documents say exists: commands, flags, targets, files and headings."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from api.cli import _COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_commands", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMMANDS = _load(ROOT / "docs" / "commands.py")


def shown_lines(text: str) -> list[str]:
    """Command lines in a page: fenced blocks line by line, and inline code."""
    fences = re.findall(r"^```(?:sh|bash|console|shell|)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in fences for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return lines + re.findall(r"`([^`\n]+)`", prose)


def chergui_calls(text: str) -> list[list[str]]:
    """The words after ``chergui`` wherever a page shows the command."""
    calls = []
    for line in shown_lines(text):
        match = re.match(r"(?:\S*/)?chergui ((?:[a-z]|-)[^|&;]*)", line)
        if match:
            words = shlex.split(re.sub(r" {2,}\S.*$", "", match[1]), comments=True)
            calls.append(words)
    return calls


def check_call(words: list[str]) -> None:
    """Every command and flag exists; a placeholder in capitals stands for any of them."""
    command: Any = COMMANDS.root()
    for word in words:
        if word.isupper() and hasattr(command, "list_commands"):
            return
        if word.startswith("-"):
            flag = word.split("=")[0]
            known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
            assert flag in known, f"chergui {' '.join(words)}: there is no {flag}"
        elif hasattr(command, "list_commands"):
            context = command.make_context("x", [], resilient_parsing=True)
            found = command.get_command(context, word)
            assert found is not None, f"chergui {' '.join(words)}: there is no command {word!r}"
            command = found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_and_flags_that_a_page_shows_exist(page: Path) -> None:
    for words in chergui_calls(page.read_text()):
        check_call(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_make_targets_that_a_page_shows_exist(page: Path) -> None:
    for line in shown_lines(page.read_text()):
        if match := re.match(r"(?:[A-Z_]+=\S+ )*make ([a-z-]+)", line):
            assert match[1] in TARGETS, f"make {match[1]}"


def anchors(page: Path) -> set[str]:
    """Fragments that a page's headings answer to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        if fragment and target.suffix == ".md":
            assert fragment in anchors(target), f"{link}: no such heading"


def test_the_page_of_commands_says_what_the_commands_say() -> None:
    assert COMMANDS.PAGE.read_text(encoding="utf-8") == COMMANDS.page(), "run: make docs"


def test_every_command_is_documented_with_a_sentence_for_each_option() -> None:
    documented = COMMANDS.PAGE.read_text(encoding="utf-8")
    for name in _COMMANDS:
        assert f"## chergui {name}" in documented
    for path, command in COMMANDS.leaves(COMMANDS.root()):
        assert command.help, path
        silent = [p.name for p in command.params if p.name != "help" and not getattr(p, "help", None)]
        assert silent == [], f"{' '.join(path)} does not say what these mean"


def test_every_page_of_docs_is_reached_from_its_index() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "docs" / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in re.findall(r"\]\(([^)\s:]+)\)", page.read_text()))
        todo += [(page.parent / link).resolve() for link in links if link]
    assert set((ROOT / "docs").rglob("*.md")) - seen == set()


def test_a_command_or_flag_that_does_not_exist_is_found() -> None:
    for line in ("chergui fly", "chergui doctor --fly"):
        (words,) = chergui_calls(f"```sh\n{line}\n```")
        with pytest.raises(AssertionError, match="there is no"):
            check_call(words)


def test_every_decision_says_what_would_change_our_mind() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert len(decisions) >= 6
    for page in decisions:
        text = page.read_text()
        for part in ("**Question.**", "**Options.**", "**Choice.**", "**What would change our mind.**"):
            assert part in text, f"{page.name} lacks {part}"
        assert len(text.split()) < 350, f"{page.name} is more than half a page"
