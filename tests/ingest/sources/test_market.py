"""Prices and carbon as series: three shapes of text, units, and what happens where a series ends or fails."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.market import market_for
from ingest.sources.outlook.series_text import parse
from models.errors import InvalidInput
from models.horizon import Horizon, use_packaged_time_zones
from models.market import Market
from models.tariff import prices

use_packaged_time_zones()
SITE = read_site(sample_path("dakhla"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = Horizon(NOON, timedelta(minutes=15), 12)
CSV = """# unit = MAD/kWh
# source = day-ahead, made up
# available_at = 2026-05-31T13:00:00Z
time,value,volume
2026-06-01T12:00:00Z,0.91,7
2026-06-01T13:00:00+00:00,1.1,7
2026-06-01T14:00:00Z,,7
"""


def read(text, wanted="MAD/MWh", unit=None, **more):
    return parse(text.encode(), "the text", wanted=wanted, unit=unit, known=NOON, **more)


def test_csv_says_its_unit_source_and_since_when_it_is_known():
    found = read(CSV)
    assert found.values[:2] == pytest.approx([910.0, 1100.0])
    assert np.isnan(found.values[2])
    assert (found.unit, found.source, found.step) == ("MAD/MWh", "day-ahead, made up", timedelta(hours=1))
    assert found.available_at == datetime(2026, 5, 31, 13, tzinfo=UTC)


ROWS = [{"time": "2026-06-01T12:00:00Z", "value": 620}, {"time": "2026-06-01T12:30:00Z", "value": None}]


@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"unit": "g/kWh", "data": ROWS},
        {"start": "2026-06-01T12:00:00Z", "resolution": "PT30M", "values": [620, None], "unit": "g/kWh"},
        {"start": "2026-06-01T13:00:00+01:00", "step_minutes": 30, "values": [620, None]},
    ],
)
def test_json_comes_in_rows_or_regular(document):
    found = read(json.dumps(document), wanted="kg/MWh", unit="g/kWh")
    assert (found.start, found.step, found.values[0]) == (NOON, timedelta(minutes=30), 620.0)
    assert np.isnan(found.values[1])
    assert found.available_at == NOON


@pytest.mark.parametrize(
    ("unit", "wanted", "factor"),
    [
        ("EUR/MWh", "EUR/MWh", 1.0),
        ("EUR/kWh", "EUR/MWh", 1000.0),
        ("EUR/GWh", "EUR/MWh", 0.001),
        ("kg/MWh", "kg/MWh", 1.0),
        ("gCO2/kWh", "kg/MWh", 1.0),
        ("t/MWh", "kg/MWh", 1000.0),
        ("lb/MWh", "kg/MWh", 0.45359237),
    ],
)
def test_units_are_converted(unit, wanted, factor):
    document = {"start": "2026-06-01T12:00:00Z", "resolution": "PT1H", "values": [2.0, 4.0], "unit": unit}
    assert read(json.dumps(document), wanted=wanted).values == pytest.approx([2.0 * factor, 4.0 * factor])


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("time,price\n2026-06-01T12:00:00Z,1\n", "MAD/MWh", "there is no column 'value'"),
        ("time,value\n2026-06-01T12:00:00,1\n2026-06-01T13:00:00,1\n", "MAD/MWh", "offset"),
        ("time,value\n2026-06-01T12:00:00Z,1\n2026-06-01T13:00:00Z,cheap\n", "MAD/MWh", "'cheap' is no number"),
        ("time,value\n2026-06-01T13:00:00Z,1\n2026-06-01T12:00:00Z,1\n", "MAD/MWh", "sort by time"),
        ("time,value\n2026-06-01T12:00:00Z,1\n2026-06-01T13:00:00Z,1\n", None, "no unit is said"),
        ("time,value\n2026-06-01T12:00:00Z,1\n2026-06-01T13:00:00Z,1\n", "EUR/MWh", "counts in MAD"),
        ("time,value\n2026-06-01T12:00:00Z,1\n2026-06-01T13:00:00Z,1\n", "MAD/h", "not understood"),
        (CSV, "MAD/MWh", "the site file 'MAD/MWh'; mend one"),
        ('{"rows": []}', "MAD/MWh", "neither a list"),
        ('[{"time": "2026-06-01T12:00:00Z"}]', "MAD/MWh", "no object with 'time' and 'value'"),
        ('{"start": "noon", "values": [1]}', "MAD/MWh", "how long a slot is"),
        (
            '{"start": "2026-06-01T12:00:00Z", "resolution": "PT1H", "values": [true, 1]}',
            "MAD/MWh",
            "True is no number",
        ),
        ('[{"time"', "MAD/MWh", "JSON"),
    ],
)
def test_bad_texts_are_refused_by_name(text, unit, said):
    with pytest.raises(InvalidInput, match=said):
        read(text, unit=unit)


def site_with(tmp_path, text=CSV, **changes):
    (tmp_path / "prices.csv").write_text(text)
    return SITE.model_copy(
        update={"market": Market.model_validate({"import_price": {"path": "prices.csv"}, **changes})}
    )


def test_a_series_wins_where_it_reaches_and_the_tariff_holds_where_it_does_not(tmp_path):
    found = market_for(site_with(tmp_path), DAY, NOON, tmp_path)
    usual = prices(SITE.tariff, DAY, SITE.zone)
    tax = SITE.tariff.tax_per_mwh
    assert found.import_per_mwh[:8] == pytest.approx([910.0 + tax] * 4 + [1100.0 + tax] * 4)
    assert found.import_per_mwh[8:] == usual.import_per_mwh[8:]
    assert found.export_per_mwh == usual.export_per_mwh
    assert found.carbon_kg_per_mwh == [620.0] * 12
    [note] = found.notes
    assert note.source == "day-ahead, made up"
    assert "4 slot(s) that it leaves out, the first at 2026-06-01T14:00:00Z" in note.method


def test_without_a_series_all_is_the_tariffs(tmp_path):
    found = market_for(SITE, DAY, NOON, tmp_path)
    assert found.import_per_mwh == prices(SITE.tariff, DAY, SITE.zone).import_per_mwh
    assert found.notes == ()


def test_what_was_not_known_then_is_not_used(tmp_path):
    early = Horizon(NOON, timedelta(minutes=15), 4)
    found = market_for(site_with(tmp_path), early, datetime(2026, 5, 31, 12, tzinfo=UTC), tmp_path)
    assert found.import_per_mwh == prices(SITE.tariff, early, SITE.zone).import_per_mwh
    assert "known from 2026-05-31T13:00:00Z on" in found.notes[0].method


def test_when_a_series_fails_the_last_good_one_counts_and_the_note_says_so(tmp_path):
    site, kept = site_with(tmp_path), {}
    good = market_for(site, DAY, NOON, tmp_path, kept)
    (tmp_path / "prices.csv").write_text("time,value\n2026-06-01T12")
    later = market_for(site, DAY, NOON, tmp_path, kept)
    assert later.import_per_mwh == good.import_per_mwh
    assert "the last good one" in later.notes[0].method
    none = market_for(site, DAY, NOON, tmp_path)
    assert none.import_per_mwh == prices(SITE.tariff, DAY, SITE.zone).import_per_mwh
    assert "the tariff's throughout" in none.notes[0].method


def test_an_address_is_asked_and_one_that_is_down_costs_no_plan(tmp_path):
    answers = iter([httpx.Response(200, text=CSV), httpx.Response(500, text="out of order")])
    client = httpx.Client(transport=httpx.MockTransport(lambda request: next(answers)))
    market = Market.model_validate({"import_price": {"url": "http://prices.example/today"}})
    site = SITE.model_copy(update={"market": market})
    kept = {}
    first = market_for(site, DAY, NOON, tmp_path, kept, client)
    second = market_for(site, DAY, NOON, tmp_path, kept, client)
    assert first.import_per_mwh[0] == pytest.approx(910.0 + SITE.tariff.tax_per_mwh)
    assert second.import_per_mwh == first.import_per_mwh
    assert "HTTP 500" in second.notes[0].method


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "give either path or url"),
        ({"path": "a.csv", "url": "http://x"}, "give either path or url"),
        ({"url": "ftp://x"}, "no http address"),
        ({"path": "a.csv", "token_file": "t"}, "a file needs no token"),
    ],
)
def test_half_a_series_is_refused(raw, said):
    from models.checking import validated

    with pytest.raises(InvalidInput, match=said):
        validated(Market, {"carbon": raw}, "the market")
