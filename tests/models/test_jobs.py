"""A job as a tenant hands it in."""

import pytest

from models.checking import validated
from models.errors import InvalidInput
from models.jobs import TrainingJob

RAW = {"id": "llm-7", "pool": "hall", "gpus": 64, "work_h": 6, "release": "2026-06-01T08:00:00Z"}


def job(**changes):
    return validated(TrainingJob, {**RAW, **changes}, "the job", "pointer")


def test_a_short_job_has_sensible_defaults_and_comes_back_as_it_was():
    found = job(deadline="2026-06-02T08:00:00+01:00")
    assert (found.priority, found.workload, found.preemptible, found.state) == ("normal", "pretrain", False, "queued")
    plain = found.model_dump(mode="json")
    assert plain["deadline"] == "2026-06-02T07:00:00Z"
    assert TrainingJob.model_validate(plain) == found


def test_everything_wrong_is_named_at_once_with_json_pointers():
    with pytest.raises(InvalidInput) as caught:
        job(gpus=0, work_h="6", release=1780300800, priority="urgent", min_run_slots=1.5, preemtible=True)
    found = {fault.pointer: fault.message for fault in caught.value.faults}
    assert set(found) == {"/gpus", "/work_h", "/release", "/priority", "/min_run_slots", "/preemtible"}
    assert "did you mean preemptible?" in found["/preemtible"]
    assert "never numbers" in found["/release"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"deadline": "2026-06-01T08:00:00Z"}, "/deadline"),
        ({"ran_slots": 4}, "/ran_slots"),
        ({"count": 2, "min_run_slots": 4}, "/min_run_slots"),
        ({"count": 2, "max_pauses": 0}, "/max_pauses"),
        ({"count": 2, "pinned_start": "2026-06-01T08:00:00Z"}, "/pinned_start"),
        ({"release": "2026-06-01T08:00:00"}, "/release"),
        ({"work_h": float("inf")}, "/work_h"),
        ({"gpus": True}, "/gpus"),
    ],
)
def test_rules_between_fields_and_strict_types(changes, pointer):
    with pytest.raises(InvalidInput) as caught:
        job(**changes)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_every_field_is_described_for_the_api():
    fields = TrainingJob.model_json_schema()["properties"]
    assert all(field.get("description") for field in fields.values())


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"gang_sizes": [8, 8]}, "/gang_sizes/1"),
        ({"pools": ["a", "a"]}, "/pools/1"),
        ({"gang_sizes": [8], "gpus_min": 8}, "/gpus_min"),
        ({"gpus_min": 65}, "/gpus_min"),
        ({"gpus_max": 63}, "/gpus_max"),
        ({"running_pool": "a"}, "/running_pool"),
        ({"running_gpus": 8, "state": "paused"}, "/running_gpus"),
        ({"surplus": True}, "/preemptible"),
        ({"surplus": True, "preemptible": True, "min_run_slots": 2}, "/min_run_slots"),
        ({"surplus": True, "preemptible": True, "max_pauses": 1}, "/max_pauses"),
        ({"count": 2, "may_rent": True}, "/may_rent"),
        ({"count": 2, "gpus_min": 8}, "/gpus_min"),
        ({"count": 2, "checkpoint_gb": 1.0}, "/checkpoint_gb"),
        ({"gang_exponent": 0.0}, "/gang_exponent"),
    ],
)
def test_choices_that_contradict_each_other_are_named(changes, pointer):
    with pytest.raises(InvalidInput) as caught:
        job(**changes)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_where_a_job_runs_is_its_own_pool_and_gang_unless_said():
    assert job().where == ("hall", 64)
    assert job(state="running", running_pool="b", running_gpus=8).where == ("b", 8)
