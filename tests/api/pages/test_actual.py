"""Plan beside meters: means of slots, what is missing stays missing, and both are drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from made_edition import START, made_edition

from api.pages.actual import HOURS, actual_view
from api.pages.page import day_page
from api.pages.words import words
from ingest.errors import StoreUnavailable
from ingest.points import point, to_ns
from ingest.stores.memory import MemoryStore

NOW = datetime(2026, 11, 25, 12, 7, tzinfo=UTC)
HERE = {"site": "s"}


def kept(*rows):
    store = MemoryStore()
    store.write([point(measurement, HERE, fields, to_ns(at)) for measurement, fields, at in rows])
    return store


@pytest.fixture
def store():
    rows = []
    for k in range(4):
        at = NOW - timedelta(minutes=15 * k)
        rows.append(("site", {"import_mw": 8.0 + k, "pv_mw": 3.0, "wind_mw": 1.0}, at))
        rows.append(("plan", {"import_mw": 7.5, "pv_used_mw": 3.5, "wind_used_mw": 1.5}, at))
    return kept(*rows)


def test_means_of_the_last_hours_stand_beside_each_other(store):
    view = actual_view(store, "s", NOW)
    assert view["start"] == "2026-11-25T06:15:00Z"
    by_key = {row["key"]: row for row in view["rows"]}
    assert list(by_key) == ["import", "renewable"]  # nobody measures computing or cooling here
    assert by_key["import"]["measured"][-4:] == [11.0, 10.0, 9.0, 8.0]
    assert by_key["import"]["measured"][:-4] == [None] * (HOURS * 4 - 4)
    assert (by_key["import"]["measured_now"], by_key["import"]["planned_now"], by_key["import"]["off_mw"]) == (
        8,
        7.5,
        0.5,
    )
    assert by_key["renewable"]["measured"][-1] == 4.0
    assert by_key["renewable"]["planned"][-1] == 5.0


def test_without_a_plan_the_meters_stand_alone():
    view = actual_view(kept(("site", {"it_mw": 2.0}, NOW)), "s", NOW)
    [row] = view["rows"]
    assert (row["measured_now"], row["planned_now"], row["off_mw"]) == (2.0, None, None)
    assert row["lines"]["planned"] == ""


def test_without_meters_there_is_nothing_to_show():
    assert actual_view(MemoryStore(), "s", NOW) is None
    assert actual_view(kept(("plan", {"import_mw": 2.0}, NOW)), "s", NOW) is None
    assert actual_view(kept(("site", {"it_mw": 2.0}, NOW - timedelta(hours=7))), "s", NOW) is None


def test_a_store_that_is_down_costs_the_page_only_this():
    class Down(MemoryStore):
        def latest(self, metric, tags):
            raise StoreUnavailable("it", "is down")

    assert actual_view(Down(), "s", NOW) is None


def test_lines_break_where_something_is_missing():
    view = actual_view(kept(*(("site", {"it_mw": 2.0}, NOW - timedelta(minutes=15 * k)) for k in (0, 1, 3))), "s", NOW)
    line = view["rows"][0]["lines"]["measured"]
    assert line.count("M") == 2
    assert line.count("L") == 1
    assert "h0.1" in line  # the one that stands alone is a dot


@pytest.mark.parametrize(
    ("language", "words_"), [("en", ("Plan and what was measured", "simulated", "sandstorm")), ("fr", ("simulé",))]
)
def test_the_page_shows_them_and_says_that_a_site_is_simulated(store, language, words_):
    edition = made_edition() | {"charts": {}}
    actual, simulated = actual_view(store, "s", NOW), {"scenario": "sandstorm", "speed": 60.0}
    page = day_page(edition, {}, START, words(language), lambda name: name, None, actual=actual, simulated=simulated)
    for word in words_:
        assert word in page
    assert page.count('class="measured"') == 2
    plain = day_page(edition, {}, START, words(language), lambda name: name, None)
    assert 'id="actual"' not in plain
