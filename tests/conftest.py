"""What all tests may ask for; and whatever was not tested is said aloud at the end: peers left out by ``-m``, skips."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

_left_out: Counter[str] = Counter()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember which real peers were left out."""
    _left_out.update(item.nodeid.split("::")[0] for item in items if item.get_closest_marker("peer"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that no core waits at the end for the one that has them."""
    items.sort(key=lambda item: "/system/" not in item.nodeid)


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads are forecast as in service, by a tenth of the trees."""
    monkeypatch.setattr("models.forecast.load.TREES", 5)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The list of what was not looked at."""
    skips = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
    )
    if not _left_out and not skips:
        return
    terminalreporter.section("NOT TESTED HERE", yellow=True, bold=True)
    for path, number in sorted(_left_out.items()):
        name = Path(path).stem.removeprefix("test_").replace("_", " ")
        terminalreporter.line(f"REAL PEER SKIPPED  {name}: {number} test(s) in {path}; run `make test-peers`")
    for reason, number in sorted(skips.items()):
        terminalreporter.line(f"SKIPPED  {number} test(s): {reason}")
