"""Telemetry is asked for over HTTP as it was sent, in means of slots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

T0 = int(datetime(2026, 11, 25, 6, tzinfo=UTC).timestamp())
START, END = "2026-11-25T06:00:00Z", "2026-11-25T07:00:00Z"


def sent(house: Any, *rows: tuple[str, float, int]) -> None:
    body = "\n".join(f"gpu,site=local,gpu={gpu} power_w={watts} {T0 + at}" for gpu, watts, at in rows)
    assert house.post("/api/v2/write?precision=s", body).status_code == 204


def asked(house: Any, **query: Any) -> Any:
    told = {"metric": "gpu.power_w", "start": START, "end": END, **query}
    more = "".join(f"&tag={tag}" for tag in told.pop("tags", ()))
    return house.get("/api/v1/telemetry?" + "&".join(f"{k}={v}" for k, v in told.items()) + more)


def test_means_come_back_per_slot_and_null_where_nothing_came(house: Any) -> None:
    sent(house, ("a", 400.0, 0), ("a", 500.0, 60), ("a", 300.0, 1799), ("b", 7.0, 0))
    answer = asked(house, tags=["gpu=a"])
    assert answer.status_code == 200
    assert answer.json() == {
        "metric": "gpu.power_w",
        "unit": "W",
        "start": START,
        "step_s": 900,
        "values": [450.0, 300.0, None, None],
        "as_of": None,
    }
    assert asked(house, tags=["gpu=b", "site=local"], step_s=3600).json()["values"] == [7.0]
    assert asked(house, across="sum", step_s=1800).json()["values"] == [407.0, None]


def test_it_says_what_was_believed_then(house: Any) -> None:
    sent(house, ("a", 400.0, 0))
    assert asked(house, as_of="2026-11-25T05:00:00Z").status_code == 404  # it was not known yet
    later = asked(house, as_of="2026-11-26T05:00:00%2B00:00").json()
    assert (later["values"][0], later["as_of"]) == (400.0, "2026-11-26T05:00:00Z")


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({"metric": "power"}, 422, "write measurement.field"),
        ({"metric": "gpu.nothing"}, 404, "gpu.nothing"),
        ({"start": "yesterday"}, 422, "not an RFC 3339 time"),
        ({"start": "2026-11-25T06:00:00"}, 422, "/query/start"),
        ({"end": START}, 422, "no whole number of slots"),
        ({"step_s": 7}, 422, "no whole number of slots"),
        ({"start": "0001-01-01T00:00:00Z", "step_s": 3600 * 24}, 422, "slots"),
        ({"start": "1500-01-01T06:00:00Z", "end": "1500-01-01T07:00:00Z"}, 422, "1678"),
        ({"start": "2020-11-25T06:00:00Z", "step_s": 1}, 422, "at most 50000"),
        ({"tags": ["gpu"]}, 422, "write key=value"),
        ({}, 422, "2 series match"),
    ],
)
def test_a_question_that_has_no_answer_is_told_why(house: Any, query: dict[str, Any], status: int, told: str) -> None:
    sent(house, ("a", 400.0, 0), ("b", 300.0, 0))
    answer = asked(house, **query)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text


def test_it_needs_a_key_that_may_read(house: Any) -> None:
    assert house.client.get("/api/v1/telemetry?metric=gpu.power_w").status_code == 401
