"""Open-Meteo documents: stamps, units, models, nulls, and no call outside unless asked."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from ingest.errors import SourceUnavailable
from ingest.sources.outlook import open_meteo
from models.errors import InvalidInput
from models.sky import Place

FILES = Path(__file__).parent / "open_meteo"
FETCHED = datetime(2026, 5, 31, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def document(name="hourly_kmh"):
    return json.loads((FILES / f"{name}.json").read_text(encoding="utf-8"))


def codes(error):
    return {fault.pointer: fault.code for fault in error.value.faults}


def test_radiation_belongs_to_the_hour_before_its_stamp_and_temperature_to_the_instant():
    raw = document()
    table = open_meteo.parse(raw, fetched_at=FETCHED)
    noon = raw["hourly"]["time"].index("2026-06-01T13:00")
    slot = (datetime(2026, 6, 1, 12, tzinfo=UTC) - table.start) // HOUR
    assert table["ghi_w_m2"][slot] == raw["hourly"]["shortwave_radiation"][noon]
    both = raw["hourly"]["temperature_2m"][noon - 1 : noon + 1]
    assert table["temp_air_c"][slot] == pytest.approx(sum(both) / 2)


def test_the_sun_of_the_document_stands_highest_at_solar_noon():
    """A one-hour shift would put it at 12:00 or 14:00; at 15.9 degrees west in June noon is 13:05 UTC."""
    table = open_meteo.parse(document(), fetched_at=FETCHED)
    first = (datetime(2026, 6, 1, tzinfo=UTC) - table.start) // HOUR
    day = table["ghi_w_m2"][first : first + 24]
    centre = float((day * (np.arange(24) + 0.5)).sum() / day.sum())
    assert centre == pytest.approx(13.08, abs=0.5)


def test_kilometres_an_hour_become_metres_a_second_and_the_source_says_so():
    raw = document()
    table = open_meteo.parse(raw, fetched_at=FETCHED)
    kmh = raw["hourly"]["wind_speed_10m"]
    assert table["wind_speed_m_s"][0] == pytest.approx((kmh[0] + kmh[1]) / 2 / 3.6)
    assert "wind_speed_10m converted from km/h" in table.source
    assert table.available_at == FETCHED
    assert not table.synthetic


def test_several_models_need_a_name_and_nulls_past_the_horizon_end_the_table():
    raw = document("two_models_with_nulls")
    with pytest.raises(InvalidInput, match="ecmwf_ifs025, gfs_seamless"):
        open_meteo.parse(raw, fetched_at=FETCHED)
    short = open_meteo.parse(raw, fetched_at=FETCHED, model="ecmwf_ifs025")
    long = open_meteo.parse(raw, fetched_at=FETCHED, model="gfs_seamless")
    assert len(short) == 39
    assert len(long) == 52
    assert long["temp_air_c"][0] == pytest.approx(short["temp_air_c"][0] + 0.5)
    assert not np.isnan(short["ghi_w_m2"]).any()


def test_a_null_before_the_end_stays_missing():
    raw = document()
    raw["hourly"]["shortwave_radiation"][10] = None
    table = open_meteo.parse(raw, fetched_at=FETCHED)
    assert np.isnan(table["ghi_w_m2"]).sum() == 1


def test_quarter_hours():
    table = open_meteo.parse(document("minutely_15"), fetched_at=FETCHED, block="minutely_15")
    assert table.step == timedelta(minutes=15)
    assert len(table) == 95


def test_everything_wrong_is_told_at_once():
    raw = document()
    raw["hourly_units"]["wind_speed_10m"] = "Bft"
    del raw["hourly"]["diffuse_radiation"]
    raw["hourly"]["temperature_2m"][3] = "warm"
    with pytest.raises(InvalidInput) as error:
        open_meteo.parse(raw, fetched_at=FETCHED)
    assert codes(error) == {
        "/hourly_units/wind_speed_10m": "unknown_unit",
        "/hourly/diffuse_radiation": "missing",
        "/hourly/temperature_2m/3": "not_a_number",
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"utc_offset_seconds": 3600}, "not_gmt"),
        ({"error": True, "reason": "Daily API request limit exceeded"}, "error_document"),
        ({"hourly": None}, "missing"),
    ],
)
def test_other_documents_are_refused_by_name(change, code):
    with pytest.raises(InvalidInput) as error:
        open_meteo.parse(document() | change, fetched_at=FETCHED)
    assert code in codes(error).values()


def test_epoch_stamps_and_doubled_hours_are_refused():
    raw = document()
    raw["hourly"]["time"][0] = 1780000000
    with pytest.raises(InvalidInput, match="timeformat=iso8601"):
        open_meteo.parse(raw, fetched_at=FETCHED)
    raw = document()
    raw["hourly"]["time"][5] = raw["hourly"]["time"][4]
    with pytest.raises(InvalidInput, match="stands twice"):
        open_meteo.parse(raw, fetched_at=FETCHED)


def test_asking_live_names_gmt_and_metres_a_second_and_reads_the_answer():
    asked = {}

    def answer(request):
        asked.update(request.url.params)
        return httpx.Response(200, json=document())

    client = httpx.Client(transport=httpx.MockTransport(answer))
    table = open_meteo.fetch(
        "https://weather.example/v1/forecast", Place(23.7, -15.9), hours=36, fetched_at=FETCHED, client=client
    )
    assert asked["timezone"] == "GMT"
    assert asked["wind_speed_unit"] == "ms"
    assert asked["forecast_days"] == "4"
    assert len(table) == 52


@pytest.mark.parametrize("status", [400, 503])
def test_a_service_that_fails_is_unavailable_not_empty(status):
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, text="no")))
    with pytest.raises(SourceUnavailable, match=str(status)):
        open_meteo.fetch("https://weather.example", Place(0, 0), hours=1, fetched_at=FETCHED, client=client)
