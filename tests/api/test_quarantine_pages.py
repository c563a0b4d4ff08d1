"""Readings that are held back, on the operator's pages: how many, from which series, why, and their release."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from made_edition import made_edition

from ingest.errors import StoreUnavailable
from ingest.quarantine import bad_at
from tests.api.conftest import House

NOW = datetime(2026, 11, 25, 6, 4, tzinfo=UTC)
T0 = int(NOW.timestamp())
SERIES = "/quarantine/series?metric=gpu.power_w&tag=gpu%3Da&tag=node%3Dn1&tag=site%3Dlocal"
FIELD = re.compile(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">')


@pytest.fixture
def flagged(house: House) -> House:
    lines = [
        f"gpu,site=local,node=n1,gpu=a power_w=431 {T0}",
        *(f"gpu,site=local,node=n1,gpu=a power_w=0.43{k} {T0 + k}" for k in range(1, 4)),
        f"gpu,site=local,node=n1,gpu=a temperature_c=400 {T0 + 20}",
        f"gpu,site=local,node=n1,gpu=a energy_j=100 {T0}",
        f"gpu,site=local,node=n1,gpu=a energy_j=3 {T0 + 30}",
        f"pdu,site=local,asset=<b> power_mw=99 {T0}",
    ]
    for line in lines:
        assert house.post("/api/v2/write?precision=s", line).status_code == 204
    return house


def rows(page: str) -> list[str]:
    return re.findall(r"<tr><th scope=\"row\">.*?</tr>", page, re.DOTALL)


def form(house: House, **changes: str) -> str:
    page = house.client.get(f"{SERIES}&lang=en").text
    fields = [(name, value) for name, value in FIELD.findall(page) if name not in changes]
    return urlencode([*fields, *changes.items()])


def post(house: House, body: str, lang: str = "en") -> Any:
    return house.client.post(f"/quarantine/release?lang={lang}", content=body, follow_redirects=False)


def test_the_list_says_how_many_from_which_series_and_why(flagged: House) -> None:
    page = flagged.client.get("/quarantine?lang=en").text
    assert "5 readings are held back" in page
    assert "1 more is flagged and believed." in page
    told = rows(page)
    assert len(told) == 4
    assert "gpu.power_w gpu=a node=n1 site=local" in told[0], "those that are held back most come first"
    assert ">3<" in told[0]
    assert "fits in another unit" in told[0]
    assert "gpu.energy_j" in told[-1], "what is believed stands last"
    assert "asset=&lt;b&gt;" in page
    french = flagged.client.get("/quarantine?lang=fr").text
    assert "5 mesures sont écartées" in french
    assert "juste dans une autre unité" in french
    assert "held back" not in french


def test_a_span_is_chosen_and_an_empty_one_says_so(flagged: House) -> None:
    later = T0 - 3 * 3600
    assert flagged.post("/api/v2/write?precision=s", f"pdu,site=local,asset=p power_mw=99 {later}").status_code == 204
    assert "6 readings are held back" in flagged.client.get("/quarantine?lang=en").text
    assert "5 readings are held back" in flagged.client.get("/quarantine?lang=en&hours=1").text
    assert flagged.client.get("/quarantine?hours=0").status_code == 422


def test_a_house_without_flags_holds_nothing_back(house: House) -> None:
    assert "0 readings are held back" in house.client.get("/quarantine?lang=en").text
    house.doors.plans.publish(made_edition(), {})
    day = house.client.get("/?lang=en").text
    assert 'href="/quarantine?lang=en"' in day
    assert "held back in the last hour" not in day, "reported by exception"


def test_the_day_says_how_many_are_held_back(flagged: House) -> None:
    flagged.doors.plans.publish(made_edition(), {})
    assert "5 held back in the last hour" in flagged.client.get("/?lang=en").text
    assert "5 écartées depuis une heure" in flagged.client.get("/?lang=fr").text


def test_a_series_shows_its_values_with_unit_and_reason(flagged: House) -> None:
    page = flagged.client.get(f"{SERIES}&lang=en").text
    told = rows(page)
    assert len(told) == 3
    assert "0.433\u00a0W" in told[0], "the newest first"
    assert all("held back" in row for row in told)
    assert 'action="/quarantine/release?lang=en"' in page


@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("read", 403), ("write", 403)])
def test_only_an_admin_key_releases(flagged: House, scope: str | None, status: int) -> None:
    key = "nonsense" if scope is None else flagged.keys[scope]
    refused = post(flagged, form(flagged, key=key, why="meter checked"))
    assert refused.status_code == status
    assert 'role="alert"' in refused.text
    assert key not in refused.text
    assert len(bad_at(flagged.doors.telemetry, "gpu.power_w", {}, NOW, NOW + timedelta(hours=1))) == 3


def test_what_was_shown_is_released_and_nothing_that_came_since(flagged: House) -> None:
    shown = form(flagged, key=flagged.keys["admin"], why="read at the board: right")
    late = f"gpu,site=local,node=n1,gpu=a power_w=0.5 {T0 + 9}"
    assert flagged.post("/api/v2/write?precision=s", late).status_code == 204
    done = post(flagged, shown)
    assert done.status_code == 303
    page = flagged.client.get(done.headers["location"]).text
    assert page.count("released by") == 3
    assert "read at the board: right" in page
    assert len(bad_at(flagged.doors.telemetry, "gpu.power_w", {}, NOW, NOW + timedelta(hours=1))) == 1
    assert "3 readings are held back" in flagged.client.get("/quarantine?lang=en").text
    admin = flagged.keys["admin"].split("_")[1]
    assert f"released by {admin}" in page.replace("\u2068", "").replace("\u2069", "")


def test_once_all_are_released_no_form_is_left(flagged: House) -> None:
    where = post(flagged, form(flagged, key=flagged.keys["admin"], why="meter checked"), "fr").headers["location"]
    assert "lang=fr" in where
    page = flagged.client.get(where).text
    assert "<form" not in page
    assert "rétablie par" in page


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"why": ""}, 422),
        ({"why": "a\nline"}, 422),
        ({"why": "x" * 201}, 422),
        ({"metric": "pdu.energy_mwh"}, 404),
        ({"since": "at noon"}, 422),
        ({"tag": "gpu"}, 422),
    ],
)
def test_a_form_that_says_too_little_releases_nothing(flagged: House, changes: dict[str, str], status: int) -> None:
    fields = {"key": flagged.keys["admin"], "why": "meter checked"} | changes
    assert post(flagged, form(flagged, **fields)).status_code == status
    assert len(bad_at(flagged.doors.telemetry, "gpu.power_w", {}, NOW, NOW + timedelta(hours=1))) == 3


def test_what_is_no_form_is_refused(flagged: House) -> None:
    assert post(flagged, "metric=gpu.power_w").status_code == 422
    assert flagged.client.post("/quarantine/release", content=b"\xff\xfe=1").status_code == 422


def test_a_store_that_is_silent_is_said_and_the_day_is_served(flagged: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the telemetry", "is away")

    flagged.doors.plans.publish(made_edition(), {})
    monkeypatch.setattr(flagged.doors.telemetry, "raw", away)
    answer = flagged.client.get("/quarantine?lang=en")
    assert (answer.status_code, "is away" in answer.text) == (503, True)
    assert flagged.client.get("/?lang=en").status_code == 200


def test_the_pages_carry_no_script_and_no_style_of_their_own(flagged: House) -> None:
    for path in ("/quarantine", SERIES):
        for mark in (" style=", " onclick", "<script"):
            assert mark not in flagged.client.get(path).text
