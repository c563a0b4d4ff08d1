"""Queues become jobs of the planner: news asks for a plan, progress as expected does not, what is gone is over."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.clock import ShiftedClock
from api.job_reading import judged_jobs, keep
from api.job_round import SlurmRound, Turn, list_turn, write_status
from api.settings import Settings
from api.slurm.hand import Hand
from api.store.migrate import upgrade
from api.wiring import engine_of, turns_for
from ingest.errors import SourceUnavailable
from ingest.policy_file import PolicyFile
from ingest.site_file import sample_path
from ingest.sources.slurm.source import SlurmSource
from models.job_policy import read_policy
from models.job_sources import Slurm, SlurmPool
from models.jobs import TrainingJob
from models.placement import Placement
from models.queued_job import QueuedJob

NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = read_policy({"rows": [{"name": "r", "partitions": ["train"], "longest_delay_h": 6.0}]}, "the policy")
QUEUED = QueuedJob("slurm-1", "slurm", "queued", 8, NOW - HOUR, limit_h=4.0, partition="train")
RUNS = replace(QUEUED, state="running", ran_h=0.5)


def told(house, *facts, now=NOW, source="slurm"):
    site = house.doors.site
    before = house.doors.plans.wanted()[0]
    found = keep(house.doors.jobs, source, judged_jobs(facts, POLICY, site, now), site, now)
    return found, house.doors.plans.wanted()[0] - before


def test_news_asks_for_a_plan_and_progress_as_expected_does_not(house):
    found, asked = told(house, QUEUED)
    assert (found.changed, asked) == (["slurm-1"], 1)
    assert told(house, QUEUED, now=NOW + HOUR)[1] == 0
    found, asked = told(house, RUNS)
    assert (found.changed, asked) == (["slurm-1"], 1)
    later = NOW + HOUR
    assert told(house, replace(RUNS, ran_h=1.5), now=later)[1] == 0
    known = house.doors.jobs.get("slurm-1")
    assert (known.job.source, known.job.work_h, known.job.state) == ("slurm", 2.5, "running")
    assert (known.progress.work_left_h, known.progress.ran_slots, known.progress.as_of) == (2.5, 6, later)


def test_a_job_that_is_named_no_more_is_over_and_may_come_back(house):
    told(house, QUEUED)
    found, asked = told(house)
    assert (found.ended, asked) == (["slurm-1"], 1)
    assert house.doors.jobs.get("slurm-1").status == "done"
    assert told(house) == (type(found)(), 0)
    found, asked = told(house, QUEUED)
    assert (found.changed, asked, house.doors.jobs.get("slurm-1").status) == (["slurm-1"], 1, "open")


def test_each_source_speaks_of_its_own_jobs_only(house):
    job = TrainingJob(id="slurm-1", pool="hall", gpus=8, work_h=1.0, release=NOW)
    house.doors.jobs.put(job, "test")
    told(house, replace(QUEUED, id="csv-1", source="csv"), source="queue")
    found, asked = told(house, QUEUED)
    assert (found.strangers, found.changed, asked) == (["slurm-1"], [], 0)
    assert house.doors.jobs.get("slurm-1").job.source == "api"
    told(house)
    assert {known.job.id for known in house.doors.jobs.open()} == {"slurm-1", "csv-1"}


def test_jobs_that_no_row_names_are_known_only_as_loads_while_they_run(house):
    told(house, replace(QUEUED, partition="debug"))
    assert house.doors.jobs.open() == []
    told(house, replace(RUNS, partition="debug"))
    (known,) = house.doors.jobs.open()
    assert (known.job.cap_floor_w, known.job.preemptible) == (1e5, False)


def test_a_scheduler_says_which_job_has_which_gpu(house, edition):
    house.doors.plans.publish(edition, {})
    node = "/api/v1/caps/nodes/hall-n1"
    before = house.get(node)
    assert before.json()["placement"] == "unknown"
    placed = Placement(NOW, {"hall-n1": {0: "slurm-1", 1: "slurm-1"}, "hall-n2": {}})
    assert house.doors.placements.tell(placed, "slurm") == ["hall-n1", "hall-n2"]
    body = house.get(node, **{"If-None-Match": before.headers["ETag"]}).json()
    assert (body["placement"], [gpu["job"] for gpu in body["gpus"][:3]]) == ("scheduler", ["slurm-1", "slurm-1", None])
    version = house.doors.plans.now().version
    assert house.doors.placements.tell(Placement(NOW + HOUR, placed.nodes), "slurm") == []
    assert house.doors.plans.now().version == version
    assert house.doors.placements.tell(Placement(NOW), "slurm") == ["hall-n1", "hall-n2"]
    assert house.get(node).json()["placement"] == "unknown"


class Words:
    """Slurm that answers what it is told to, and keeps what it was asked."""

    def __init__(self):
        self.answers, self.asked = {}, []

    def raw_jobs(self):
        return self.run("squeue")

    def run(self, *words):
        self.asked.append(words)
        answer = self.answers.get(words[0], b"")
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def slurm_round(house, tmp_path):
    words = Words()
    (tmp_path / "policy.toml").write_text('[[rows]]\nname = "r"\n')
    made = SlurmRound(
        spec=Slurm(act=True),
        source=SlurmSource(words, [SlurmPool(pool="hall", nodes="gpu[1-12]")]),
        hand=Hand(words),
        policy=PolicyFile(tmp_path / "policy.toml"),
        site=house.doors.site,
        store=house.doors.jobs,
        plan=house.doors.plans.current,
        following=set,
        placements=house.doors.placements,
    )
    return made, words


def test_a_slurm_that_falls_silent_says_no_longer_who_has_which_gpu(slurm_round, house):
    made, words = slurm_round
    words.answers["squeue"] = []
    assert made.work(NOW) == {"jobs": 0, "named": 0, "left_alone": 0, "odd": 0, "told": 0, "not_told": 0}
    assert house.doors.placements.rows("hall-n3", 8) == dict.fromkeys(range(8))
    words.answers["squeue"] = SourceUnavailable("slurm", "squeue gave no answer within 20 s")
    for minutes, rows in ((4, dict.fromkeys(range(8))), (6, None)):
        with pytest.raises(SourceUnavailable):
            made.work(NOW + timedelta(minutes=minutes))
        assert house.doors.placements.rows("hall-n3", 8) == rows


class Hands:
    now = staticmethod(lambda: NOW)

    def __init__(self):
        self.s = 0.0

    def monotonic(self):
        return self.s


def test_a_source_that_fails_is_waited_out_and_told_once(tmp_path, caplog):
    clock, calls = Hands(), []

    def work(now):
        calls.append(clock.s)
        if len(calls) in (2, 3, 4):
            raise SourceUnavailable("slurm", "no")
        return {"jobs": 3}

    turn = Turn("slurm", 10.0, work, clock)
    while clock.s < 200.0:
        turn.take()
        write_status(tmp_path, [turn])
        if turn.failing == 1:
            told = json.loads((tmp_path / "queues.json").read_text())["slurm"]
            assert (told["ok"], told["reason"], told["jobs"]) == (False, "no", 3)
        clock.s += 5.0
    # after one failure 20 s, then 40, then 80
    assert calls[:6] == [0.0, 10.0, 30.0, 70.0, 150.0, 160.0]
    assert turn.told["ok"]


def test_a_list_is_read_in_its_turn(house, tmp_path):
    class Listed:
        name = "queue"

        def jobs(self, now):
            return [replace(QUEUED, id="a", source="json"), replace(QUEUED, id="b", partition="debug")]

    (tmp_path / "policy.toml").write_text('[[rows]]\nname = "r"\npartitions = ["train"]\n')
    policy = PolicyFile(tmp_path / "policy.toml")
    turn = list_turn(60.0, Listed(), policy, house.doors.site, house.doors.jobs, ShiftedClock(timedelta()))
    assert turn.take()
    assert not turn.take()
    assert (turn.told["jobs"], turn.told["named"], turn.told["left_alone"]) == (2, 1, 1)
    assert [known.job.id for known in house.doors.jobs.open()] == ["a"]


def test_one_order_that_slurm_refuses_harms_no_other_and_silence_ends_the_round():
    from api.slurm.order import Order

    words = Words()
    orders = [Order("start", "", 1, "c", NOW), Order("resume", "", 2, "c"), Order("start", "", 3, "c", NOW)]
    words.answers["scontrol"] = SourceUnavailable("slurm", "scontrol ended with 1: Invalid job id specified")
    assert [done.fault is None for done in Hand(words).carry_out(orders, NOW)] == [False, False, False]
    assert len(words.asked) == 3, "the comment of a job that does not resume is not written"
    words.answers["scontrol"] = SourceUnavailable("slurm", "scontrol gave no answer within 20 s; is slurmctld up?")
    with pytest.raises(SourceUnavailable):
        Hand(words).carry_out(orders, NOW)
    assert len(words.asked) == 4


def listed_site(folder):
    text = sample_path("local").read_text().partition("[synthetic]")[0]
    (folder / "policy.toml").write_text('[[rows]]\nname = "all"\naccounts = ["vision"]\nlongest_delay_h = 2.0\n')
    (folder / "jobs.csv").write_text("id,gpus,limit_h,account\na,8,2,vision\nb,8,2,speech\n")
    jobs = '[jobs]\npolicy = "policy.toml"\n[[jobs.lists]]\nname = "queue"\npath = "jobs.csv"\nformat = "csv"\n'
    (folder / "site.toml").write_text(text + jobs + "[jobs.slurm]\nact = true\n")
    return folder / "site.toml"


def test_the_process_reads_what_the_site_names_and_no_slurm_in_a_time_of_its_own(tmp_path):
    settings = Settings(listed_site(tmp_path), tmp_path / "data")
    settings.run_dir.mkdir(parents=True)
    upgrade(engine_of(settings))
    assert [turn.name for turn in turns_for(settings)] == ["queue", "slurm"]
    moved = turns_for(replace(settings, shift_s=60.0))
    assert [turn.name for turn in moved] == ["queue"]
    assert moved[0].take()
    assert moved[0].told["named"] == 1


def test_collect_once_asks_the_queues_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["collect", str(listed_site(tmp_path)), "--once"])
    assert "queue: 2 job(s), 1 named by the policy" in done.output
    assert "slurm: the source slurm cannot be read: " in done.output
    assert done.exit_code == 1
