"""Job sources in a site file, and a policy that follows its file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from ingest.policy_file import PolicyFile, load_policy
from ingest.site_file import resolved_site, sample_path
from ingest.sources.slurm import source
from models.errors import InvalidInput

LOCAL = tomllib.loads(sample_path("local").read_text())
SYNTHETIC = LOCAL.pop("synthetic")
GOOD = '[[rows]]\nname = "all"\npartitions = ["train"]\nlongest_delay_h = 8.0\n'


def site(folder, text):
    return resolved_site({**LOCAL, "jobs": tomllib.loads(text)}, folder=folder)


def faults(folder, text):
    with pytest.raises(InvalidInput) as caught:
        site(folder, text)
    return {fault.pointer: fault.code for fault in caught.value.faults}


def test_a_site_may_have_no_jobs_section():
    assert not resolved_site(LOCAL).jobs.any


def test_slurm_lists_and_policy(tmp_path):
    (tmp_path / "policy.toml").write_text(GOOD)
    (tmp_path / "jobs.csv").write_text("id,gpus\n")
    text = """
policy = "policy.toml"
[slurm]
act = true
budget = {licence = "kw"}
[[slurm.pools]]
pool = "hall"
partitions = ["train"]
nodes = "gpu[01-12]"
[[lists]]
name = "queue"
path = "jobs.csv"
format = "csv"
"""
    jobs = site(tmp_path, text).jobs
    assert jobs.any
    assert (jobs.slurm.act, jobs.slurm.budget.lookahead_h) == (True, 2.0)


def test_everything_wrong_is_told_at_once(tmp_path):
    (tmp_path / "policy.toml").write_text('[[rows]]\nname = "a"\npool = "barn"\n')
    text = """
policy = "policy.toml"
[slurm]
rest_url = "ftp://x"
conf = "slurm.conf"
[[slurm.pools]]
pool = "barn"
nodes = "gpu[01-12"
[[slurm.pools]]
pool = "hall"
nodes = "gpu[01-04]"
[[lists]]
name = "slurm"
"""
    assert faults(tmp_path, text) == {
        "jobs.policy": "unknown_pool",
        "jobs.slurm.rest_url": "no_address",
        "jobs.slurm.conf": "no_such_file",
        "jobs.slurm.pools[0].pool": "unknown_pool",
        "jobs.slurm.pools[0].nodes": "bad_nodes",
        "jobs.slurm.pools[1].nodes": "wrong_count",
        "jobs.lists[0].path": "one_place",
    }
    assert faults(tmp_path, "[slurm]\n") == {"jobs.policy": "missing"}


def test_made_up_jobs_are_not_mixed_into_a_real_queue(tmp_path):
    (tmp_path / "policy.toml").write_text(GOOD)
    both = {**LOCAL, "synthetic": SYNTHETIC, "jobs": {"policy": "policy.toml", "slurm": {}}}
    with pytest.raises(InvalidInput, match="made-up jobs are not mixed into a real queue"):
        resolved_site(both, folder=tmp_path)


def test_suspending_needs_the_timer_that_resumes_without_us(tmp_path):
    (tmp_path / "policy.toml").write_text(GOOD + 'pausable = true\npause = "suspend"\n')
    assert faults(tmp_path, 'policy = "policy.toml"\n[slurm]\n') == {"jobs.policy": "no_deadman"}
    assert site(tmp_path, 'policy = "policy.toml"\n[slurm]\ndeadman = true\n').jobs.slurm.deadman


def test_the_policy_that_we_ship_to_copy_is_right():
    rows = load_policy(Path(source.__file__).parent / "policy.toml").rows
    assert [row.plan for row in rows] == [False, True, True, True]


def test_a_policy_is_read_anew_and_a_bad_edit_keeps_the_good_one(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(GOOD)
    held = PolicyFile(path)
    assert held.now().rows[0].longest_delay_h == 8.0

    def edit(text, age):
        path.write_text(text)
        os.utime(path, ns=(age, age))

    edit(GOOD.replace("8.0", "2.0"), 10**18)
    assert held.now().rows[0].longest_delay_h == 2.0
    edit("[[rows", 2 * 10**18)
    assert held.now().rows[0].longest_delay_h == 2.0
    assert "not TOML" in str(held.fault)
    path.unlink()
    assert held.now().rows[0].longest_delay_h == 2.0
    edit(GOOD, 3 * 10**18)
    assert (held.now().rows[0].longest_delay_h, held.fault) == (8.0, None)
    with pytest.raises(InvalidInput, match="check the path"):
        PolicyFile(tmp_path / "none.toml")


def test_ways_of_a_policy_row_are_looked_up(tmp_path):
    (tmp_path / "policy.toml").write_text('[[rows]]\nname = "a"\npools = ["hall", "barn"]\nmay_rent = true\n')
    with pytest.raises(InvalidInput) as caught:
        site(tmp_path, 'policy = "policy.toml"')
    told = {fault.code: fault.message for fault in caught.value.faults}
    assert "rows[0].pools[1]: there is no pool 'barn'" in told["unknown_pool"]
    assert "rows[0].may_rent: the site has no [[partners]]" in told["no_partner"]
