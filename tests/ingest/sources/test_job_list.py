"""Lists of jobs as CSV and JSON, from a file and over HTTP; bad rows are told and left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ingest.errors import SourceUnavailable
from ingest.sources.job_list.source import JobListSource, from_address, from_file

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROWS = [
    {"id": "llm-7", "gpus": 64, "limit_h": 12, "submitted_at": "2026-11-28T08:00:00Z", "account": "vision"},
    {"id": "rl-3", "gpus": 8, "work_h": 2.5, "state": "running", "ran_h": 1.0, "comment": "chergui=on delay=2h"},
]
CSV = """id,gpus,limit_h,work_h,submitted_at,account,state,ran_h,comment,held
llm-7,64,12,,2026-11-28T08:00:00Z,vision,,,,
rl-3,8,,2.5,,,running,1.0,chergui=on delay=2h,false
"""


def source(body, form="json", **more):
    return JobListSource("queue", lambda: body if isinstance(body, bytes) else json.dumps(body).encode(), form, **more)


@pytest.mark.parametrize("body", [ROWS, {"jobs": ROWS}, CSV.encode(), b"\xef\xbb\xbf" + CSV.encode()])
def test_the_same_jobs_in_every_form(body):
    form = "csv" if isinstance(body, bytes) else "json"
    one, two = source(body, form).jobs(NOW)
    assert (one.id, one.gpus, one.limit_h, one.account, one.source) == ("llm-7", 64, 12.0, "vision", form)
    assert one.submitted_at == datetime(2026, 11, 28, 8, tzinfo=UTC)
    assert (two.state, two.ran_h, two.words.work_h, two.words.delay_h) == ("running", 1.0, 2.5, 2.0)


def test_a_job_without_a_time_counts_from_when_it_was_first_seen():
    listed = source([{"id": "a", "gpus": 1}])
    assert listed.jobs(NOW)[0].submitted_at == NOW
    assert listed.jobs(NOW + timedelta(hours=1))[0].submitted_at == NOW


def test_bad_rows_are_told_with_their_place_and_the_others_count():
    rows = [
        ROWS[0],
        {"id": "b"},
        {"id": "c", "gpus": "8"},
        7,
        {"id": "d", "gpus": 1, "comment": "chergui=maybe"},
        ROWS[0],
    ]
    listed = source(rows)
    assert [job.id for job in listed.jobs(NOW)] == ["llm-7"]
    assert [told.partition(":")[0] for told in listed.odd] == [f"jobs[{k}]" for k in (1, 2, 3, 4, 5)]
    assert "gpus: this key is required" in listed.odd[0]
    assert "'llm-7' stands twice" in listed.odd[4]
    lines = source(b"id,gpus,held\na,8,perhaps\nb,eight,\nc,2,yes,9\nd,4,no\n", "csv")
    assert [job.id for job in lines.jobs(NOW)] == ["d"]
    assert [told.partition(":")[0] for told in lines.odd] == ["line 2", "line 3", "line 4"]


@pytest.mark.parametrize(
    ("body", "form", "told"),
    [
        (b'{"jobs": [{"id"', "json", "no JSON came"),
        (b"<html>", "json", "no JSON came"),
        (b'{"tasks": []}', "json", "a list of jobs is expected"),
        (b"\xff\xfe", "json", "not UTF-8"),
        (b"", "csv", "names no id"),
        (b"id,gpus,watts\n", "csv", "unknown columns"),
    ],
)
def test_what_is_no_list_is_refused_as_a_whole(body, form, told):
    with pytest.raises(SourceUnavailable, match=told):
        source(body, form).jobs(NOW)


def test_from_a_file_and_an_address(tmp_path):
    path = tmp_path / "jobs.csv"
    with pytest.raises(SourceUnavailable, match="No such file"):
        JobListSource("queue", from_file("queue", path), "csv").jobs(NOW)
    path.write_text(CSV)
    assert len(JobListSource("queue", from_file("queue", path), "csv").jobs(NOW)) == 2

    def answer(request):
        return httpx.Response(200, json=ROWS) if request.url.path == "/jobs" else httpx.Response(500, text="oh")

    client = httpx.Client(transport=httpx.MockTransport(answer))
    assert len(JobListSource("q", from_address(client, "http://q/jobs", 5.0), "json").jobs(NOW)) == 2
    with pytest.raises(SourceUnavailable, match="500"):
        JobListSource("q", from_address(client, "http://q/x", 5.0), "json").jobs(NOW)


def test_what_a_plan_may_choose_is_read_in_both_forms():
    row = {"id": "a", "gpus": 8, "pools": ["x", "y"], "gang_sizes": [4, 2], "may_rent": True, "checkpoint_gb": 9.5}
    row |= {"residency": ["MA"], "surplus": False, "running_gpus": 4, "state": "running"}
    line = b"""id,gpus,pools,gang_sizes,may_rent,checkpoint_gb,residency,surplus,running_gpus,state
a,8,x y,4 2,yes,9.5,MA,no,4,running
"""
    (told,), (cells,) = source([row]).jobs(NOW), source(line, "csv").jobs(NOW)
    assert told.given == cells.given
    assert (told.given["pools"], told.given["gang_sizes"]) == (("x", "y"), (4, 2))
    wrong = source(b"id,gpus,gang_sizes\na,8,4 half\n", "csv")
    assert wrong.jobs(NOW) == []
    assert "gang_sizes[1]" in wrong.odd[0]
