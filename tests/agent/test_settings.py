"""The configuration: every fault at once, and nothing that is misspelt goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import read_settings
from models.errors import InvalidInput


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    return path


def test_three_lines_are_enough_and_touch_nothing(tmp_path: Path) -> None:
    found = read_settings(written(tmp_path, 'server = "https://chergui.example:8443/"\nnode = "hall-n1"\n'))
    assert (found.server, found.path) == ("https://chergui.example:8443", "/api/v1/caps/nodes/hall-n1")
    assert found.actuator == "dry-run"
    assert not found.sets
    assert (found.rules.dwell_s, found.rules.ramp_w_per_s, found.rules.jitter_s) == (300, 20, 60)


def test_every_fault_is_named_with_its_place(tmp_path: Path) -> None:
    text = """
server = "chergui"
pull = "pool"
actuator = "nvml-clocks"
nodes = "typo"
[timers]
tick_s = 60
jitter_s = "long"
[limits]
default_w = -1
[measures]
enter = "a shell line"
[guard]
url = "ftp://x"
"""
    with pytest.raises(InvalidInput) as refused:
        read_settings(written(tmp_path, text))
    assert {fault.pointer for fault in refused.value.faults} == {
        "server",
        "pool",
        "clocks.table",
        "nodes",
        "timers.tick_s",
        "timers.jitter_s",
        "limits.default_w",
        "measures.enter",
        "guard.url",
    }


def test_a_file_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--config"):
        read_settings(tmp_path / "none.toml")
    with pytest.raises(InvalidInput, match="Invalid value"):
        read_settings(written(tmp_path, "server = "))
