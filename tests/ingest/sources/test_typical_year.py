"""Typical years: the hour they mean, mapping onto dates, and what ships with the package."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pvlib
import pytest

from data.weather import make_synthetic
from ingest.sources.outlook import typical_year
from models import solar
from models.errors import InvalidInput, NotFound
from models.sky import clear_sky
from models.supply import Solar

GREENSBORO = Path(pvlib.__file__).parent / "data" / "723170TYA.CSV"
HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 25, tzinfo=UTC)

needs_tmy3 = pytest.mark.skipif(not GREENSBORO.exists(), reason="pvlib came without its TMY3 file 723170TYA.CSV")


@pytest.fixture(scope="module")
def greensboro():
    if not GREENSBORO.exists():
        pytest.skip("pvlib came without its TMY3 file 723170TYA.CSV")
    return typical_year.read_tmy3(GREENSBORO)


def lag_of(table):
    """Minutes by which the sunny hours of a table follow the clear sky: where their ratio varies least."""
    found = []
    for minutes in (-60, -30, 0, 30, 60):
        sky = clear_sky(table.place, table.start - timedelta(minutes=minutes), HOUR, len(table)).ghi_w_m2
        lit = sky > 150
        found.append((float(np.std(table["ghi_w_m2"][lit] / sky[lit])), minutes))
    return min(found)[1]


def test_greensboro_s_sun_follows_the_sky_without_a_shift(greensboro):
    summer = greensboro.table(datetime(2026, 5, 1, 5, tzinfo=UTC), 24 * 60, NOW)
    assert lag_of(summer) == 0
    late = replace(summer, start=summer.start + HOUR)  # what reading the stamps as starts would give
    assert lag_of(late) == 60


def test_greensboro_by_hand(greensboro):
    """The file's row 06/21 13:00 is the hour from 12:00 to 13:00 at UTC-5, that is 17:00 to 18:00 UTC."""
    rows = GREENSBORO.read_text(encoding="utf-8").splitlines()
    header = rows[1].split(",")
    found = {tuple(row.split(",")[:2]): row.split(",") for row in rows[2:]}
    key = next(k for k in found if k[0].startswith("06/21") and k[1] == "13:00")
    before = next(k for k in found if k[0].startswith("06/21") and k[1] == "12:00")
    table = greensboro.table(datetime(2026, 6, 21, 17, tzinfo=UTC), 1, NOW)
    assert table["ghi_w_m2"][0] == float(found[key][header.index("GHI (W/m^2)")])
    ends = [float(found[k][header.index("Dry-bulb (C)")]) for k in (before, key)]
    assert table["temp_air_c"][0] == pytest.approx(sum(ends) / 2)


def test_a_golden_day_of_greensboro(greensboro):
    """21 June through a 100 MW field: energy near GHI x performance (hand: sum of GHI x ~0.85), dark at night."""
    table = greensboro.table(datetime(2026, 6, 21, 5, tzinfo=UTC), 24, NOW)
    field = Solar(name="f", peak_dc_mw=100.0, inverter_ac_mw=100.0, tilt_deg=0.0, soiling_loss=0.0, other_losses=0.0)
    power = solar.available_mw(field, table)
    hand = table["ghi_w_m2"].sum() / 1000.0 * 100.0
    assert 0.80 < power.sum() / hand < 0.95
    night = ~clear_sky(table.place, table.start, HOUR, 24).sun_up
    assert night.sum() >= 8
    assert (power[night] == 0).all()


def test_the_29th_of_february_takes_the_28th(greensboro):
    leap = greensboro.table(datetime(2028, 2, 29, 5, tzinfo=UTC), 24, NOW)
    before = greensboro.table(datetime(2028, 2, 28, 5, tzinfo=UTC), 24, NOW)
    np.testing.assert_array_equal(leap["ghi_w_m2"], before["ghi_w_m2"])


def test_years_join_without_a_hole(greensboro):
    table = greensboro.table(datetime(2026, 12, 31, 5, tzinfo=UTC), 48, NOW)
    assert not any(np.isnan(values).any() for values in table.columns.values())


def epw(tmp_path, hours=8760, offset=-1, change=None):
    """An EPW file of our own: 35 columns, hour 1 is 00:00 to 01:00 standard time."""
    lines = [f"LOCATION,Made Up,-,ESH,own,0,23.70,-15.93,{offset},12.0"]
    lines += ["DESIGN CONDITIONS,0", "TYPICAL/EXTREME PERIODS,0", "GROUND TEMPERATURES,0"]
    lines += ["HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0", "COMMENTS 1,made by us", "COMMENTS 2,-", "DATA PERIODS,1,1,Data"]
    start = datetime(2025, 1, 1)
    for k in range(hours):
        moment = start + k * HOUR
        row = [moment.year, moment.month, moment.day, moment.hour + 1, 60, "x"] + ["0"] * 29
        row[6], row[8], row[9], row[13], row[14], row[15], row[21] = k % 24, 60, 101300, k % 24 + 100, 10, 20, 5
        lines.append(",".join(str(v) for v in (change(k, row) if change else row)))
    path = tmp_path / "own.epw"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_epw_hour_one_begins_at_midnight_of_its_standard_time(tmp_path):
    year = typical_year.read_epw(epw(tmp_path))
    table = year.table(datetime(2026, 6, 1, 1, tzinfo=UTC), 3, NOW)  # 00:00 at UTC-1
    assert table["ghi_w_m2"].tolist() == [100, 101, 102]
    assert table["temp_air_c"][1] == pytest.approx(0.5)  # instants 0 and 1 at 01:00 and 02:00
    assert year.utc_offset == -HOUR


def test_epw_nines_are_missing_and_wrong_lengths_are_refused(tmp_path):
    def nines(k, row):
        if k == 5:
            row[6] = 99.9
        return row

    year = typical_year.read_epw(epw(tmp_path, change=nines))
    assert np.isnan(year.columns["temp_air_c"]).sum() == 2  # the two hours that the instant borders on
    with pytest.raises(InvalidInput, match="8759 rows"):
        typical_year.read_epw(epw(tmp_path, hours=8759))


def test_files_that_are_something_else_are_refused(tmp_path):
    other = tmp_path / "x.csv"
    other.write_text("hello\n", encoding="utf-8")
    for read in (typical_year.read_tmy3, typical_year.read_epw):
        with pytest.raises(InvalidInput):
            read(other)
        with pytest.raises(InvalidInput, match="check the path"):
            read(tmp_path / "none")


@pytest.mark.parametrize("climate", make_synthetic.CLIMATES, ids=lambda climate: climate.key)
def test_shipped_synthetic_years_are_what_the_script_makes(climate):
    import gzip

    shipped = gzip.decompress((make_synthetic.HERE / f"{climate.key}.csv.gz").read_bytes()).decode()
    made = make_synthetic.text(climate)
    assert "SYNTHETIC" in shipped.splitlines()[0]
    assert "ASSUMED" in shipped.splitlines()[0]
    ours, theirs = (np.genfromtxt(t.splitlines()[7:], delimiter=",") for t in (shipped, made))
    np.testing.assert_allclose(ours, theirs, atol=1.01)  # the last digit may turn with the library's version
    assert np.mean(ours != theirs) < 1e-3


@pytest.mark.parametrize("climate", ["dakhla", "casablanca"])
def test_synthetic_years_are_labelled_follow_the_sky_and_are_dark_at_night(climate):
    year = typical_year.synthetic_year(climate)
    table = year.table(datetime(2026, 1, 1, tzinfo=UTC), 8760, NOW)
    assert table.synthetic
    assert "synthetic" in table.source
    sky = clear_sky(table.place, table.start, HOUR, 8760)
    assert (table["ghi_w_m2"][~sky.sun_up] == 0).all()
    assert (table["ghi_w_m2"] <= sky.ghi_w_m2 * 1.02 + 5).all()  # the equation of time differs by year
    by_hour = table["wind_speed_m_s"].reshape(365, 24).mean(axis=0)
    assert 14 <= int(np.argmax(by_hour)) <= 20  # the sea breeze's afternoon


def test_an_unknown_climate_is_named():
    with pytest.raises(NotFound, match="atlantis"):
        typical_year.synthetic_year("atlantis")
