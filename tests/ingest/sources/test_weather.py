"""Weather of a site and the forecast made from it: sources, labels, lead times, no peeking, skill."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pvlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.site_file import read_site, sample_path
from ingest.sources.outlook import open_meteo
from ingest.sources.outlook.weather import actual_weather, history_for, weather_for
from models.errors import InvalidInput, NotFound
from models.forecast import baselines, scoring
from models.forecast.past import PastPairs, moment64
from models.forecast.site import PV, WIND, capacity_mw, forecast_site, pv_mw, wind_mw
from models.horizon import Horizon
from models.series import Series
from models.site import WeatherSource
from models.sky import clear_sky

NOW = datetime(2026, 6, 1, 0, 5, tzinfo=UTC)
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
HORIZON = Horizon(datetime(2026, 6, 1, 0, 15, tzinfo=UTC), QUARTER, 144)
GREENSBORO = Path(pvlib.__file__).parent / "data" / "723170TYA.CSV"
DOCUMENT = Path(__file__).parent / "open_meteo" / "hourly_kmh.json"


@pytest.fixture(scope="module")
def dakhla():
    return read_site(sample_path("dakhla"))


def named(site, **source):
    return site.model_copy(update={"weather": WeatherSource(**source)})


def test_offline_weather_is_labelled_synthetic_and_asks_nobody(dakhla, monkeypatch):
    monkeypatch.setattr(httpx, "get", lambda *a, **k: pytest.fail("a request left the host"))
    weather, note = weather_for(dakhla, HORIZON, NOW)
    assert weather.synthetic
    assert note.synthetic
    assert "synthetic" in note.source
    assert note.issued_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert weather.available_at <= NOW
    assert len(weather.on(HORIZON)) == 144


def test_the_made_up_forecast_differs_from_the_made_up_day_more_the_later(dakhla):
    near, far = [], []
    for day in range(30):
        now = NOW + day * timedelta(days=1)
        horizon = Horizon(datetime(2026, 6, 1, 1, tzinfo=UTC) + day * timedelta(days=1), HOUR, 47)
        said = weather_for(dakhla, horizon, now)[0].on(horizon)["wind_speed_m_s"]
        came = actual_weather(dakhla, horizon).on(horizon)["wind_speed_m_s"]
        near.append(said[:6] - came[:6])
        far.append(said[36:] - came[36:])
    assert 0.3 < np.std(near) < 0.95
    assert np.std(far) > 1.3 * np.std(near)


def test_between_runs_the_forecast_stands_still(dakhla):
    one = weather_for(dakhla, HORIZON, NOW)[0]
    two = weather_for(dakhla, HORIZON, NOW + timedelta(hours=5))[0]
    np.testing.assert_array_equal(one["ghi_w_m2"], two["ghi_w_m2"])


@pytest.mark.parametrize("sample", ["dakhla", "local"])
@pytest.mark.parametrize("learned", [True, False])
def test_a_sample_site_s_forecast_holds_together(sample, learned):
    site = read_site(sample_path(sample))
    weather, _ = weather_for(site, HORIZON, NOW)
    found = forecast_site(site, HORIZON, weather, NOW, history_for(site, NOW) if learned else None)
    caps = capacity_mw(site)
    up = clear_sky(weather.place, HORIZON.start, QUARTER, 144).sun_up
    assert (found[PV].quantiles()[:, ~up] == 0).all()
    for name in (PV, WIND):
        assert found[name].quantiles().max() <= caps[name]
        assert found[name].synthetic
        assert found[name].available_at == weather.available_at
    assert ("calibrated by lead time" if learned else "season's spread") in found[PV].method
    assert (found["wet_bulb_c"].values <= found["dry_bulb_c"].values).all()
    assert len(found["dry_bulb_c"]) == 144


def test_the_calibrated_forecast_beats_climatology_and_persistence_and_covers(dakhla):
    """Fourteen day-ahead forecasts over two months of the synthetic site, the band learned before 1 July."""
    start = datetime(2026, 7, 1, tzinfo=UTC)
    hours = 120 * 24
    whole = Horizon(start - timedelta(days=60), HOUR, hours)
    truth = actual_weather(dakhla, whole).on(whole)
    caps = capacity_mw(dakhla)
    series = {
        PV: Series(whole.start, HOUR, pv_mw(dakhla.solar, truth), "MW"),
        WIND: Series(whole.start, HOUR, wind_mw(dakhla.wind, truth), "MW"),
    }
    losses = {(name, who): [] for name in (PV, WIND) for who in ("ours", "climatology", "persistence")}
    covered = {PV: [], WIND: []}
    history = history_for(dakhla, start)
    for day in range(0, 56, 4):
        now = start + timedelta(days=day)
        horizon = Horizon(now, HOUR, 24)
        weather, _ = weather_for(dakhla, horizon, now)
        ours = forecast_site(dakhla, horizon, weather, now, history)
        for name in (PV, WIND):
            came = series[name].on(horizon)
            losses[name, "ours"].append(scoring.mean_pinball_mw(ours[name], came))
            for who in ("climatology", "persistence"):
                said = getattr(baselines, who)(series[name], horizon, now, caps[name])
                losses[name, who].append(scoring.mean_pinball_mw(said, came))
            covered[name].append(scoring.coverage(ours[name], came))
    for name in (PV, WIND):
        for who in ("climatology", "persistence"):
            assert np.mean(losses[name, "ours"]) < 0.8 * np.mean(losses[name, who]), (name, who)
        assert np.mean(covered[name]) == pytest.approx(0.8, abs=0.1)


def test_weather_known_later_is_refused_and_so_is_weather_of_unknown_age(dakhla):
    weather, _ = weather_for(dakhla, HORIZON, NOW)
    for known, code in ((NOW + HOUR, "peeking"), (None, "no_available_at")):
        with pytest.raises(InvalidInput) as error:
            forecast_site(dakhla, HORIZON, replace(weather, available_at=known), NOW)
        assert [fault.code for fault in error.value.faults] == [code]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_shuffling_what_was_not_known_changes_no_forecast(seed):
    site = read_site(sample_path("dakhla"))
    weather, _ = weather_for(site, HORIZON, NOW)
    rng = np.random.default_rng(seed)
    history, other = history_for(site, NOW + timedelta(days=10)), {}
    for name, pairs in history.items():
        unknown = pairs.available_at > moment64(NOW)
        assert unknown.any()
        changed = pairs.actual_mw.copy()
        changed[unknown] = rng.permutation(changed[unknown])
        other[name] = PastPairs(pairs.lead_h, pairs.forecast_mw, changed, pairs.available_at)
    one, two = (forecast_site(site, HORIZON, weather, NOW, h) for h in (history, other))
    for name in (PV, WIND):
        np.testing.assert_array_equal(one[name].quantiles(), two[name].quantiles())


@pytest.mark.skipif(not GREENSBORO.exists(), reason="pvlib came without its TMY3 file 723170TYA.CSV")
def test_a_tmy3_year_serves_any_date_and_says_that_it_is_of_another_place(dakhla):
    site = named(dakhla, kind="tmy3", path=str(GREENSBORO))
    weather, note = weather_for(site, HORIZON, NOW)
    assert not weather.synthetic
    assert "typical year" in note.method
    assert "degrees from the site" in note.method
    assert note.issued_at is None
    found = forecast_site(site, HORIZON, weather, NOW)
    assert found[PV].p50.max() > 0.3 * capacity_mw(site)[PV]


def test_a_document_from_a_file_counts_from_the_file_s_time(dakhla, tmp_path):
    path = tmp_path / "forecast.json"
    path.write_bytes(DOCUMENT.read_bytes())
    site = named(dakhla, kind="open_meteo", url="forecast.json")
    table = open_meteo.read(path)
    horizon = Horizon(datetime(2026, 6, 1, tzinfo=UTC), QUARTER, 144)
    weather, note = weather_for(site, horizon, table.available_at + HOUR, base=tmp_path)
    assert note.issued_at == table.available_at
    assert not note.synthetic
    assert len(weather.on(horizon)) == 144
    beyond = Horizon(horizon.start, QUARTER, 400)
    with pytest.raises(InvalidInput, match="the horizon asks for"):
        weather.on(beyond)


def test_a_site_without_a_climate_of_its_name_is_told(dakhla):
    with pytest.raises(NotFound, match="nowhere"):
        weather_for(named(dakhla, climate="nowhere"), HORIZON, NOW)
