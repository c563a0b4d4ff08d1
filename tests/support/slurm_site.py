"""A site file whose jobs come from a Slurm of three nodes: the sample ``local``, made small, and a policy beside it."""

from __future__ import annotations

from pathlib import Path

from ingest.site_file import sample_path

POLICY = """
[[rows]]
name = "training"
partitions = ["train"]
longest_delay_h = {delay_h}
used_share = 1.0
"""
JOBS = """
[jobs]
policy = "policy.toml"

[jobs.slurm]
act = true
conf = "{conf}"
period_s = 1.0

[[jobs.slurm.pools]]
pool = "hall"
partitions = ["train"]
nodes = "gpu[1-3]"
"""


def slurm_site(folder: Path, conf: Path, delay_h: float = 6.0) -> Path:
    """Path of the site file."""
    text = sample_path("local").read_text(encoding="utf-8").replace("gpus = 96", "gpus = 24")
    head, mark, _ = text.partition("[synthetic]")
    assert mark
    (folder / "policy.toml").write_text(POLICY.format(delay_h=delay_h), encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(head + JOBS.format(conf=conf), encoding="utf-8")
    return path
