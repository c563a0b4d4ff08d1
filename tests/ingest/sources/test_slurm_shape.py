"""Slurm's queue in the shapes of two versions, and its short ways of writing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.errors import SourceUnavailable
from ingest.sources.slurm.commands import Commands, jobs_of
from ingest.sources.slurm.hosts import gpu_count, gpu_indices, node_names, task_count
from ingest.sources.slurm.note import NOTHING, Note, may_write, read_note
from ingest.sources.slurm.shape import NotUnderstood, slurm_job
from ingest.sources.slurm.source import SlurmSource
from models.job_sources import SlurmPool

RECORDED = Path(__file__).parent / "slurm"


def recording(version):
    return json.loads((RECORDED / f"squeue-{version}.json").read_text())["jobs"]


def submitted(raw):
    told = raw["submit_time"]
    return datetime.fromtimestamp(told if isinstance(told, int) else told["number"], UTC)


class Queue:
    def __init__(self, *raw):
        self.raw = raw

    def raw_jobs(self):
        return self.raw


@pytest.fixture(params=["22.05", "26.05"])
def jobs(request):
    raw = recording(request.param)
    now = submitted(raw[0]) + timedelta(minutes=10)
    return {job.number: job for job in (slurm_job(one, now) for one in raw)}


def test_both_versions_tell_the_same_of_the_same_jobs(jobs):
    told = {n: (j.state, j.gpus, j.limit_min, j.held, j.depends, j.tasks, j.batch) for n, j in jobs.items()}
    assert told == {
        1: ("running", 8, 60, False, False, 1, True),
        2: ("paused", 3, 30, jobs[2].held, False, 1, True),
        3: ("queued", 16, 30, False, False, 1, True),
        4: ("queued", 16, 30, False, False, 4, True),
        5: ("queued", 8, 30, True, False, 1, True),
        6: ("running", 0, 30, False, False, 1, True),
        7: ("queued", 1, None, False, True, 1, True),
    }


def test_gpus_stand_on_nodes_by_index(jobs):
    first, second = jobs[1].nodes
    assert jobs[1].gpus_on == ((first, (0, 1, 2, 3)), (second, (0, 1, 2, 3)))
    assert jobs[2].gpus_on == ((first, (4, 5, 6)),)
    assert jobs[1].licences == {"kw": 5}


def test_a_job_that_stands_still_does_not_age(jobs):
    assert jobs[2].ran_s <= 3
    assert jobs[1].ran_s >= 590


def test_begin_deadline_and_words_arrive(jobs):
    assert jobs[3].eligible - jobs[3].submitted == timedelta(hours=2)
    assert jobs[3].deadline - jobs[3].submitted == timedelta(hours=10)
    assert jobs[1].facts(None).words.delay_h == 4.0
    assert jobs[2].facts(None).words.delay_h == 2.0


def test_what_cannot_be_planned_says_why(jobs):
    bars = {n: job.facts(None).bars for n, job in jobs.items()}
    assert bars == {
        **dict.fromkeys((1, 2, 3, 4, 5)),
        6: "it asks for no GPU",
        7: "it waits for another job",
    }


NEEDED = (
    "job_id job_state name user_name account qos partition nodes node_count submit_time eligible_time start_time "
    "time_limit deadline comment admin_comment licenses requeue restart_cnt batch_flag dependency het_job_id "
    "pre_sus_time suspend_time"
)


@pytest.mark.parametrize("version", ["22.05", "26.05"])
def test_a_job_that_lacks_a_field_is_not_guessed_at(version):
    raw = recording(version)[0]
    for key in NEEDED.split():
        with pytest.raises(NotUnderstood, match=f"job .*no field '{key}'"):
            slurm_job({k: v for k, v in raw.items() if k != key}, datetime.now(UTC))


def test_states_of_both_shapes():
    raw = recording("22.05")[0]
    now = submitted(raw)
    for state in ("COMPLETED", "COMPLETING", ["RUNNING", "COMPLETING"], ["CANCELLED"], "TIMEOUT"):
        assert slurm_job({**raw, "job_state": state}, now) is None
    assert slurm_job({**raw, "job_state": ["PENDING", "REQUEUED"]}, now).state == "queued"
    assert slurm_job({**raw, "job_state": ["RUNNING", "CONFIGURING"]}, now).state == "running"
    with pytest.raises(NotUnderstood, match="DREAMING"):
        slurm_job({**raw, "job_state": "DREAMING"}, now)


def test_one_job_that_cannot_be_read_harms_no_other():
    good, bad = recording("26.05")[:2]
    source = SlurmSource(Queue(good, {**bad, "time_limit": "soon"}))
    seen = source.read(datetime.now(UTC))
    assert [job.number for job in seen.jobs] == [1]
    assert "job 2: 'soon' is no number" in seen.odd[0]
    with pytest.raises(SourceUnavailable, match="no job can be read"):
        SlurmSource(Queue({"job_id": 1})).read(datetime.now(UTC))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"jobs": [', "no JSON came"),
        (b"<html>busy</html>", "no JSON came"),
        (
            b'{"jobs": [], "errors": [{"description": "Protocol authentication error", "error_number": 1007}]}',
            "Protocol",
        ),
        (b'{"nodes": []}', "no list of jobs"),
        (b'{"jobs": [7]}', "no list of jobs"),
    ],
)
def test_an_answer_that_is_no_queue_is_refused_with_its_words(body, told):
    with pytest.raises(SourceUnavailable, match=told):
        jobs_of("slurm", body)


def test_commands_that_are_not_there_fail_or_hang_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    slurm = Commands(timeout_s=0.3)
    with pytest.raises(SourceUnavailable, match="there is no xqueue on this machine"):
        slurm.run("xqueue")
    for name, text in (
        ("xfail", "echo invalid job id >&2; exit 1"),
        ("xhang", "exec /bin/sleep 9"),
        ("xzone", "echo $TZ"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(SourceUnavailable, match="xfail ended with 1: invalid job id"):
        slurm.run("xfail")
    with pytest.raises(SourceUnavailable, match=r"gave no answer within 0.3 s; is slurmctld up\?"):
        slurm.run("xhang")
    assert slurm.run("xzone") == b"UTC\n", "times are asked for and told in UTC"


def test_pools_and_placement_come_from_nodes_and_partitions():
    raw = recording("22.05")
    source = SlurmSource(Queue(*raw), [SlurmPool(pool="hall", partitions=("train",), nodes="gpu[1-3]")])
    seen = source.read(submitted(raw[0]))
    assert {facts.id: facts.pool for facts in seen.facts} == {
        **{f"slurm-{n}": "hall" for n in (1, 2, 3, 4, 6, 7)},
        "slurm-5": None,
    }
    assert seen.placement.nodes == {
        "hall-n1": {**dict.fromkeys(range(4), "slurm-1"), **dict.fromkeys((4, 5, 6), "slurm-2")},
        "hall-n2": dict.fromkeys(range(4), "slurm-1"),
        "hall-n3": {},
    }
    two = SlurmSource(Queue(*raw), [SlurmPool(pool="a", nodes="gpu1"), SlurmPool(pool="b", nodes="gpu2")])
    assert two.read(submitted(raw[0])).facts[0].pool is None, "a job across two pools belongs to neither"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("gpu1", ("gpu1",)),
        ("gpu[1-3]", ("gpu1", "gpu2", "gpu3")),
        ("gpu[08-10,12],login", ("gpu08", "gpu09", "gpu10", "gpu12", "login")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
    ],
)
def test_node_lists(text, names):
    assert node_names(text) == names


@pytest.mark.parametrize("text", ["gpu[1-3", "gpu1]", "gpu[a-b]", "gpu[1-9999999]"])
def test_node_lists_that_are_none(text):
    with pytest.raises(ValueError, match=r".*"):
        node_names(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("gres:gpu:h100:4", 4),
        ("gres/gpu:8", 8),
        ("gres/gpu=16,gres/gpu:h100=16", 16),
        ("gres/gpu:h100=4,gres/gpu:a100=2", 6),
        ("gres:gpu", 1),
        ("gres/gpu:h100", 1),
        ("cpu=2,mem=1G,node=2,billing=2", 0),
        ("gres:gpumem:4", 0),
        ("gpu:h100:3(IDX:0,4-5)", 3),
        ("gpu:2(IDX:0-1),nvme:1(IDX:0)", 2),
        ("", 0),
    ],
)
def test_gpu_counts(text, count):
    assert gpu_count(text) == count


def test_gpu_indices_and_array_tasks():
    assert gpu_indices("gpu:h100:3(IDX:0,4-5)") == (0, 4, 5)
    assert gpu_indices("nvme:1(IDX:0),gpu:2(IDX:2-3)") == (2, 3)
    assert gpu_indices("gpu:h100:2") == ()
    assert [task_count(text) for text in ("", "1-4", "0-3,7,10-20:2%4")] == [1, 4, 11]


def test_a_note_comes_back_from_its_comment():
    note = Note(start=1795846893, begin=1795835960, latest=1795850000, restarts=1, done=42)
    comment = note.comment("starts 2026-11-28 06:21 UTC; cheaper power then")
    assert comment.startswith("chergui: starts")
    assert read_note(comment) == note
    assert read_note("chergui: starts at noon") == NOTHING
    assert read_note("ask amina [start=1]") == NOTHING
    assert [may_write(text) for text in ("", "  ", comment, "ask amina")] == [True, True, True, False]


def test_a_start_that_somebody_changed_is_theirs():
    raw = recording("22.05")[2]
    begin = raw["eligible_time"]
    now = submitted(raw)

    def job(**changes):
        return slurm_job({**raw, **changes}, now)

    note = Note(start=begin, begin=raw["submit_time"], restarts=0)
    ours = job(admin_comment=note.comment("x"))
    assert not ours.by_hand
    assert ours.facts(None).eligible_at == submitted(raw), "our own delay is not the user's wish"
    moved = job(admin_comment=note.but(start=begin + 600).comment("x"))
    assert moved.by_hand
    assert moved.facts(None).bars == "its start was changed by hand"
    requeued = job(admin_comment=note.but(start=begin - 900).comment("x"), restart_cnt=1)
    assert not requeued.by_hand, "Slurm itself gives a requeued job another start"
