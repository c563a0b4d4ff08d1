"""GPU -> node -> job, from the scheduler."""

from __future__ import annotations

from datetime import UTC, datetime

from models.placement import Placement

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SLURM = Placement(NOW, {"hall-n1": {0: "slurm-1", 1: "slurm-1"}, "hall-n2": {0: "slurm-1"}, "hall-n3": {}})


def test_a_job_has_its_gpus_and_an_unknown_node_none():
    assert SLURM.of("slurm-1") == {"hall-n1": (0, 1), "hall-n2": (0,)}
    assert SLURM.on("hall-n3") == {}
    assert SLURM.on("hall-n9") is None
