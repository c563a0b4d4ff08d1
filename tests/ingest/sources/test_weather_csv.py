"""Weather from CSV: the file says what its stamps mean, and nothing is guessed."""

from datetime import UTC, datetime

import pytest

from ingest.sources.outlook import weather_csv
from models.errors import InvalidInput

HEAD = """# latitude_deg = 23.70
# longitude_deg = -15.93
# altitude_m = 12
# radiation_stamp = end
# state_stamp = instant
# wind_height_m = 40
# source = our mast
"""
NAMES = "time,ghi_w_m2,dni_w_m2,dhi_w_m2,temp_air_c,relative_humidity_pct,wind_speed_m_s\n"
ROWS = [f"2026-06-01T{h:02d}:00:00+01:00,{h * 10},0,{h * 10},{20 + h},70,5" for h in range(6)]


def read(tmp_path, text):
    path = tmp_path / "w.csv"
    path.write_text(text, encoding="utf-8")
    return weather_csv.read(path)


def codes(error):
    return {fault.code for fault in error.value.faults}


def test_a_file_that_says_everything(tmp_path):
    table = read(tmp_path, HEAD + NAMES + "\n".join(ROWS) + "\n")
    assert table.start == datetime(2026, 5, 31, 23, tzinfo=UTC)
    assert table["ghi_w_m2"].tolist() == [10, 20, 30, 40, 50]
    assert table["temp_air_c"].tolist() == [20.5, 21.5, 22.5, 23.5, 24.5]
    assert (table.wind_height_m, table.source, table.synthetic) == (40.0, "our mast", False)


def test_a_file_that_does_not_say_what_its_stamps_mean_is_refused(tmp_path):
    with pytest.raises(InvalidInput) as error:
        read(tmp_path, NAMES + "\n".join(ROWS))
    pointers = {fault.pointer for fault in error.value.faults}
    assert {"radiation_stamp", "state_stamp", "latitude_deg", "wind_height_m"} <= pointers


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([*ROWS[:3], *ROWS[4:]], "gap"),
        ([*ROWS[:3], *ROWS[2:]], "duplicate"),
        ([ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]], "unsorted"),
        ([*ROWS, "2026-06-01T06:00:00,0,0,0,20,70,5"], "not_a_time"),
        ([*ROWS, "2026-06-01T06:00:00+01:00,x,0,0,20,70,5"], "not_a_number"),
        ([*ROWS, "2026-06-01T06:00:00+01:00,0,0,0,20"], "length"),
        ([*ROWS, "2026-06-01T06:00:00+01:00,0,0,0,290,70,5"], "out_of_range"),
    ],
)
def test_disorder_is_refused_by_name(tmp_path, rows, code):
    with pytest.raises(InvalidInput) as error:
        read(tmp_path, HEAD + NAMES + "\n".join(rows) + "\n")
    assert code in codes(error)


def test_unknown_and_missing_columns(tmp_path):
    with pytest.raises(InvalidInput) as error:
        read(tmp_path, HEAD + NAMES.replace("dhi_w_m2", "dhi") + "\n".join(ROWS))
    assert codes(error) == {"missing", "unknown"}
