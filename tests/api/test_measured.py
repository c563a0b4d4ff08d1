"""A round starts from what the meters say, where they can be believed, and from the followed plan where not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.following import Memory
from api.gathering import Gathered
from api.measured import ASSUMED, measured_memory
from ingest.errors import StoreUnavailable
from ingest.intake import Intake
from ingest.points import point, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.horizon import use_packaged_time_zones

use_packaged_time_zones()
SITE = read_site(sample_path("dakhla"))
NOW = datetime(2026, 6, 1, 12, 4, tzinfo=UTC)
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
FOLLOWED = Memory(START, {"bess-1": 20.0}, 9.0)
BESS = {"site": "dakhla", "asset": "bess-1"}


class Clock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


def gathered(memory=FOLLOWED, followed=None, known_at=NOW - timedelta(minutes=14)):
    return Gathered([], {}, memory, followed or (lambda _: memory), known_at)


def kept(*rows):
    store = MemoryStore()
    for measurement, tags, fields, minutes in rows:
        Intake(store, Clock()).accept([point(measurement, tags, fields, to_ns(NOW - timedelta(minutes=minutes)))])
    return store


@pytest.mark.parametrize(
    ("rows", "soc"),
    [
        ([("battery", BESS, {"soc_mwh": 13.5}, 2)], 13.5),
        ([("battery", BESS, {"soc_mwh": 13.5}, 2), ("battery", BESS, {"soc_mwh": -4.0}, 1)], 13.5),  # the last is BAD
        ([("battery", BESS, {"soc_mwh": 41.0}, 2)], 40.0),  # above the top that a plan may use
        ([("battery", BESS, {"soc_mwh": 13.5}, 16)], 20.0),  # too old
        ([("battery", {**BESS, "asset": "other"}, {"soc_mwh": 13.5}, 2)], 20.0),
        ([], 20.0),
    ],
)
def test_stored_energy_is_the_newest_credible_reading(rows, soc):
    memory, note = measured_memory(SITE, kept(*rows), gathered(), NOW)
    assert memory.soc_mwh == {"bess-1": soc}
    assert (note == ASSUMED) == (soc == 20.0)


BAD_SINCE = [("battery", BESS, {"soc_mwh": -4.0}, minutes) for minutes in (20, 10, 2)]


@pytest.mark.parametrize(
    ("minutes", "known_at", "soc", "told"),
    [
        (44, NOW - timedelta(hours=1), 15.5, "as last metered 44 min ago, moved on as planned"),
        (44, NOW - timedelta(minutes=40), 20.0, "not as metered, which is flagged"),  # the plan began from newer ones
        (1439, None, 13.5, "as last metered 1439 min ago"),  # no plan yet: what the site file assumes moves nothing
        (1441, None, 20.0, "not as metered, which is flagged"),  # of the day before
    ],
)
def test_where_only_bad_readings_came_the_last_good_one_is_used_with_its_age(minutes, known_at, soc, told):
    def followed(at):
        """2 MWh less at the instant of the reading than at the start, where there is a plan to follow."""
        assert at == NOW - timedelta(minutes=minutes)
        return replace(FOLLOWED, soc_mwh={"bess-1": 20.0 if known_at is None else 18.0})

    rows = [("battery", BESS, {"soc_mwh": 13.5}, minutes), *BAD_SINCE]
    memory, note = measured_memory(SITE, kept(*rows), gathered(followed=followed, known_at=known_at), NOW)
    assert memory.soc_mwh == {"bess-1": soc}
    assert f"stored energy of bess-1 {told}" in note


def test_an_import_that_nobody_believes_raises_no_peak():
    rows = [("site", {"site": "dakhla"}, {"import_mw": mw}, minutes) for mw, minutes in ((11.0, 18), (11000.0, 6))]
    store = kept(*rows)
    assert measured_memory(SITE, store, gathered(), NOW)[0].peak_mw == 11.0
    only = kept(("site", {"site": "dakhla"}, {"import_mw": 11000.0}, 6))
    assert measured_memory(SITE, only, gathered(), NOW)[0].peak_mw == 9.0


def test_the_peak_rises_to_what_was_drawn_in_the_slot_before():
    rows = [
        ("site", {"site": "dakhla"}, {"import_mw": mw}, minutes) for mw, minutes in ((11.0, 18), (13.0, 6), (30.0, 1))
    ]
    memory, note = measured_memory(SITE, kept(*rows), gathered(), NOW)
    assert memory.peak_mw == 12.0  # 11:46 and 11:58; 12:03 is not over yet
    assert note.startswith("peak as metered")
    low, _ = measured_memory(SITE, kept(("site", {"site": "dakhla"}, {"import_mw": 3.0}, 6)), gathered(), NOW)
    assert low.peak_mw == 9.0


@pytest.mark.parametrize("interval", [15, 120])  # of 120, one runs over midnight, and the last whole one ended before
def test_the_last_interval_of_a_month_is_not_billed_in_the_next(interval):
    site = SITE.model_copy(update={"grid": SITE.grid.model_copy(update={"billing_minutes": interval})})
    first = datetime(2026, 6, 1, tzinfo=UTC) - timedelta(hours=1)  # midnight at Laayoune
    store = MemoryStore()
    for minutes in (5, 65):
        store.write([point("site", {"site": "dakhla"}, {"import_mw": 15.0}, to_ns(first - timedelta(minutes=minutes)))])
    memory, note = measured_memory(site, store, gathered(Memory(first, {"bess-1": 20.0}, 9.0)), first)
    assert (memory.peak_mw, note) == (9.0, ASSUMED)


def test_a_store_that_is_away_costs_no_round():
    class Away(MemoryStore):
        def raw(self, metric, tags, start, end, as_of=None):
            raise StoreUnavailable("it", "is away")

    assert measured_memory(SITE, Away(), gathered(), NOW) == (FOLLOWED, ASSUMED)
