"""Pages of load targets: asked by anybody who may read, accepted and taken back with a key only, on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from api.events import GridEvent
from ingest.points import point, to_ns
from tests.api.conftest import START, House

# The plan of conftest imports 0.02 MW at most between 06:30 and 07:00 UTC, 07:30 and 08:00 at the site.
FORM = {"id": "cut-1", "start": "2026-11-25T06:30", "end": "2026-11-25T07:00", "most_import_mw": "0.05", "kind": "hard"}


def fields(**changes: str) -> str:
    return urlencode({**FORM, **changes})


def post(house: House, path: str, body: str) -> Any:
    return house.client.post(path, content=body, follow_redirects=False)


@pytest.fixture
def asked(house: House, edition: dict[str, Any]) -> House:
    house.doors.plans.publish(edition, {})
    return house


def test_asking_answers_and_changes_nothing(asked: House) -> None:
    page = asked.client.get(f"/events?lang=en&{fields()}").text
    assert "It can be kept." in page
    assert "the plan in force keeps it as it is" in page
    assert "0.020\u00a0MW" in page, "the highest import of its window"
    assert 'value="2026-11-25T06:30"' in page, "what was typed stays"
    assert asked.doors.events.latest(9) == []
    french = asked.client.get(f"/events?lang=fr&{fields()}").text
    assert "Il peut être tenu." in french
    assert "It can be kept." not in french


def test_what_cannot_be_asked_is_named_at_its_field(asked: House) -> None:
    page = asked.client.get("/events?lang=en&id=cut-1&start=2026-11-25T06:30&most_import_mw=-1").text
    assert "This cannot be asked as it stands" in page
    assert 'id="most_import_mw-fault"' in page
    assert 'id="end-fault"' in page
    assert "It can be kept." not in page


@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("read", 403)])
def test_without_a_key_that_may_write_nothing_is_accepted(asked: House, scope: str | None, status: int) -> None:
    key = "nonsense" if scope is None else asked.keys[scope]
    refused = post(asked, "/events", fields(key=key))
    assert refused.status_code == status
    assert 'role="alert"' in refused.text
    assert key not in refused.text
    assert asked.doors.events.latest(9) == []


def test_an_event_is_accepted_shown_and_taken_back(asked: House) -> None:
    taken = post(asked, "/events?lang=en", fields(key=asked.keys["write"], note="evening peak", margin_ratio="0.02"))
    assert (taken.status_code, taken.headers["location"]) == (303, "/events/cut-1?lang=en")
    again = post(asked, "/events", fields(key=asked.keys["write"], note="evening peak", margin_ratio="0.02"))
    assert again.status_code == 303, "twice is once"
    other = post(asked, "/events", fields(key=asked.keys["write"], most_import_mw="0.04"))
    assert other.status_code == 409
    page = asked.client.get("/events/cut-1?lang=en").text
    for text in (
        "Load target",
        "evening peak",
        "2.0%",
        "What became of it",
        "No slot of it is over yet.",
        "0.050\u00a0MW",
    ):
        assert text in page, text
    listed = asked.client.get("/events?lang=fr").text
    assert "/events/cut-1?lang=fr" in listed
    assert "à venir" in listed
    assert post(asked, "/events/cut-1/withdraw", "key=x").status_code == 401
    back = post(asked, "/events/cut-1/withdraw?lang=fr", urlencode({"key": asked.keys["write"]}))
    assert back.status_code == 303
    assert asked.doors.events.in_force(START) == []
    assert "retiré" in asked.client.get("/events?lang=fr").text
    assert post(asked, "/events/cut-1/withdraw", urlencode({"key": asked.keys["write"]})).status_code == 404


def test_beyond_the_plan_it_takes_a_word_more(asked: House) -> None:
    far = {"start": "2026-12-04T06:00", "end": "2026-12-04T06:15", "most_import_mw": "0.001"}
    page = asked.client.get(f"/events?lang=en&{fields(**far)}").text
    assert "Nobody can say yet." in page
    assert 'name="unknown"' in page
    assert post(asked, "/events", fields(key=asked.keys["write"], **far)).status_code == 409
    assert post(asked, "/events", fields(key=asked.keys["write"], unknown="yes", **far)).status_code == 303


def test_the_record_stands_beside_limit_and_baseline(house: House) -> None:
    start = START - timedelta(hours=2)
    end = start + timedelta(minutes=30)
    event = GridEvent(id="past", start=start, end=end, most_import_mw=0.05, note="<b>asked by phone")
    house.doors.events.accept(event, {"feasible": True, "method": "solve"}, None, "test")
    rows = [
        point("site", {"site": "local"}, {"import_mw": 0.04 + 0.02 * k}, to_ns(start + timedelta(minutes=15 * k + m)))
        for k in range(2)
        for m in (1, 6, 11)
    ]
    house.doors.telemetry.write(rows)
    page = house.client.get("/events/past?lang=en").text
    assert "Not kept." in page
    assert "The baseline: none: the meter has not run for three days without an event" in page
    assert '<td class="n">0.060</td>' in page
    assert "&lt;b&gt;asked by phone" in page


def test_a_name_that_nobody_knows_is_not_found(house: House) -> None:
    assert house.client.get("/events/nothing").status_code == 404


def test_the_policy_lets_forms_go_home_only_and_no_script_in(asked: House) -> None:
    answer = asked.client.get("/events")
    policy = answer.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    for mark in (" style=", " onclick", "<script"):
        assert mark not in answer.text
