"""GPU -> node -> job, from the scheduler and from agents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.placement import Placement, merged

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SLURM = Placement(NOW, {"hall-n1": {0: "slurm-1", 1: "slurm-1"}, "hall-n2": {0: "slurm-1"}, "hall-n3": {}})


def test_a_job_has_its_gpus_and_an_unknown_node_none():
    assert SLURM.of("slurm-1") == {"hall-n1": (0, 1), "hall-n2": (0,)}
    assert SLURM.on("hall-n3") == {}
    assert SLURM.on("hall-n9") is None


def test_it_comes_back_from_its_file():
    assert Placement.from_json(SLURM.to_json()) == SLURM
    for broken in ("", "{}", "[]", '{"as_of": "2026-11-28T12:00:00Z", "nodes": {"a": {"x": "j"}}}'):
        with pytest.raises(ValueError, match=r".*"):
            Placement.from_json(broken)


def test_a_fresh_word_of_a_nodes_agent_counts_more_than_the_scheduler():
    agent = Placement(NOW - timedelta(seconds=20), {"hall-n1": {0: "slurm-2"}})
    newer = Placement(NOW - timedelta(seconds=5), {"hall-n1": {3: "slurm-3"}})
    stale = Placement(NOW - timedelta(hours=1), {"hall-n2": {}})
    view = merged(SLURM, [newer, agent, stale], NOW, timedelta(minutes=2))
    assert view.nodes == {"hall-n1": {3: "slurm-3"}, "hall-n2": {0: "slurm-1"}, "hall-n3": {}}
