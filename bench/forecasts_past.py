"""A substation of real data as what ``chergui forecast`` takes: site file, weather runs, measured power.

    python -m bench.forecasts_past ../shared/data/forecast OWD solar build/owd
    chergui forecast train --site build/owd/site.toml --data-dir build/owd \\
        --runs build/owd/runs.csv --actual build/owd/actual.csv --now 2021-10-15T00:00:00Z
    python -m bench.forecasts_past ../shared/data/forecast cluster load build/cluster

Data: OpenSTEF's offline example (MPL-2.0), 15 min, 92 days, generation negative, stamps at the end of a slot. Its
weather forecast carries no issue time, so each UTC day counts as one run known at its midnight (*assumed*), and has
radiation and wind at 100 m only: beam and diffuse are split after Erbs, Klein & Duffie 1982, temperature and humidity
are *assumed* constant. No plant is described: capacity is the highest power of the data, orientation and turbine are
*assumed*.
The cluster's load is GPUs asked for over installed (dc-rl, MIT, from Alibaba's cluster trace 2026), hourly, as IT load
of as many MW as the sample campus has; its first hour is *assumed*, the trace names none.
"""

from __future__ import annotations

import csv
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pvlib import irradiance

from ingest.site_file import sample_path
from models.forecast.site import PV, WIND
from models.horizon import rfc3339
from models.sky import Place, sun_at
from models.weather import REQUIRED

HOUR = pd.Timedelta(hours=1)
_COLUMN = {"solar": PV, "wind": WIND}
_AIR_C, _HUMIDITY_PCT = 15.0, 75.0
_LOW_SUN_DEG = 80.0
_CLUSTER_MW, _CLUSTER_BEGINS = 21.8, datetime(2026, 1, 5, tzinfo=UTC)
_HEAD = (
    "# radiation_stamp = start\n# state_stamp = start\n# wind_height_m = 100\n# source = OpenSTEF's offline example\n"
)
_PLANT = {
    "solar": '[[solar]]\nname = "solar"\npeak_dc_mw = {mw}\ninverter_ac_mw = {mw}\ntilt_deg = 20\nnote = "assumed"\n',
    "wind": '[[wind]]\nname = "wind"\nturbine = "E-82/2300"\ncount = 1\nrated_mw = {mw}\nhub_height_m = 100\n'
    'note = "assumed"\n',
}


def written(data: Path, site: str, kind: str, folder: Path) -> Path:
    """Write ``site.toml``, ``runs.csv``, ``actual.csv`` and the last run as ``weather.csv``; answers the site file."""
    table = pd.read_csv(data / "nl_sites_pv_wind_15min.csv.gz", parse_dates=["timestamp_utc"])
    part = table[table["site"] == site].set_index("timestamp_utc")
    if part.empty:
        raise SystemExit(f"no site {site!r}; there are {', '.join(sorted(table['site'].unique()))}")
    part.index = part.index - pd.Timedelta(minutes=15)
    place = Place(float(part["lat"].iloc[0]), float(part["lon"].iloc[0]))
    folder.mkdir(parents=True, exist_ok=True)
    power = np.maximum(-part[f"{kind}_mw"], 0.0)
    _actual(power, kind, folder / "actual.csv")
    weather = _weather(part, place)
    days = [(day, rows) for day, rows in weather.groupby(weather.index.floor("D")) if len(rows) == 24]
    head = f"# latitude_deg = {place.latitude_deg}\n# longitude_deg = {place.longitude_deg}\n# altitude_m = 0\n{_HEAD}"
    _runs(folder / "runs.csv", head, days)
    last, rows = days[-1]
    _weather_file(folder / "weather.csv", head, rows, last.to_pydatetime())
    described = _described(site, kind, float(power.max()), place)
    (folder / "site.toml").write_text(described, encoding="utf-8")
    return folder / "site.toml"


def _actual(power: pd.Series, kind: str, path: Path) -> None:
    lines = [f"{rfc3339(at.to_pydatetime())},{'' if mw != mw else f'{mw:.4f}'}" for at, mw in power.items()]
    path.write_text("\n".join([f"time,{_COLUMN[kind]}", *lines]) + "\n", encoding="utf-8")


def _weather(part: pd.DataFrame, place: Place) -> pd.DataFrame:
    """Hourly means with the columns of a weather file."""
    hourly = part[["nwp_radiation_J_m2_h", "nwp_wind_100m_m_s"]].resample("h").mean()
    ghi = np.maximum(hourly["nwp_radiation_J_m2_h"].to_numpy() / 3600.0, 0.0)
    sun = sun_at(place, pd.DatetimeIndex(hourly.index + HOUR / 2))
    split = irradiance.erbs(ghi, sun.zenith_deg, sun.times)
    high = sun.zenith_deg < _LOW_SUN_DEG  # under it all counts as diffuse: an hour's mean says nothing of a beam
    found = {
        "ghi_w_m2": ghi,
        "dni_w_m2": np.where(high, np.clip(np.asarray(split["dni"]), 0.0, 1000.0), 0.0),
        "dhi_w_m2": np.where(high, np.asarray(split["dhi"]), ghi),
        "temp_air_c": _AIR_C,
        "relative_humidity_pct": _HUMIDITY_PCT,
        "wind_speed_m_s": hourly["nwp_wind_100m_m_s"].to_numpy(),
    }
    return pd.DataFrame(found, index=hourly.index)


def _cells(at: Any, row: Any) -> list[str]:
    return [rfc3339(at.to_pydatetime()), *("" if value != value else f"{value:.3f}" for value in row)]


def _runs(path: Path, head: str, days: list[tuple[Any, pd.DataFrame]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(head)
        rows = csv.writer(file)
        rows.writerow(["issued_at", "time", *REQUIRED])
        for day, hours in days:
            issue = rfc3339(day.to_pydatetime())
            rows.writerows([issue, *_cells(at, row)] for at, row in zip(hours.index, hours.to_numpy(), strict=True))


def _weather_file(path: Path, head: str, hours: pd.DataFrame, known: datetime) -> None:
    """The file's own time says since when it was known."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(head)
        rows = csv.writer(file)
        rows.writerow(["time", *REQUIRED])
        rows.writerows(_cells(at, row) for at, row in zip(hours.index, hours.to_numpy(), strict=True))
    os.utime(path, (known.timestamp(),) * 2)


def _described(site: str, kind: str, mw: float, place: Place) -> str:
    """The sample hall at that place, with that plant and the last run as its weather."""
    text = sample_path("local").read_text(encoding="utf-8")
    first, last = text.index("[[solar]]"), text.index("[grid]")
    text = text[:first] + _PLANT[kind].format(mw=round(mw, 4)) + "\n" + text[last:]
    for old, new in (
        ('name = "local"', f'name = "{site.lower()}"'),
        ("latitude_deg = 33.57", f"latitude_deg = {place.latitude_deg}"),
        ("longitude_deg = -7.59", f"longitude_deg = {place.longitude_deg}"),
        ("altitude_m = 50", "altitude_m = 0"),
        ('kind = "synthetic"', 'kind = "csv"\npath = "weather.csv"'),
    ):
        if text.count(old) != 1:
            raise ValueError(
                f"the sample site file has {text.count(old)} times {old!r}; it has changed, mend this list"
            )
        text = text.replace(old, new)
    return text


def cluster(data: Path, folder: Path) -> tuple[Path, datetime]:
    """Write the cluster's hours but the last 120 as ``loads.csv``; answers the file and where it ends."""
    share = pd.read_csv(data / "alibaba_spot_gpu_hourly.csv.gz")["gpu_request_share"].to_numpy()[:-120]
    hours = [_CLUSTER_BEGINS + k * timedelta(hours=1) for k in range(len(share) + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{rfc3339(at)},{value * _CLUSTER_MW:.4f}" for at, value in zip(hours[:-1], share, strict=True)]
    (folder / "loads.csv").write_text("\n".join(["time,it_mw", *lines]) + "\n", encoding="utf-8")
    return folder / "loads.csv", hours[-1]


def main(words: list[str]) -> None:
    """Four words: folder of the data, site, solar or wind or load, folder to write."""
    if len(words) == 4 and words[2] == "load":
        file, end = cluster(Path(words[0]), Path(words[3]))
        for word in ("score", "show "):
            print(f"chergui forecast {word} --site dakhla --data-dir {words[3]} --loads {file} --now {rfc3339(end)}")
        return
    if len(words) != 4 or words[2] not in _COLUMN:
        raise SystemExit(__doc__)
    path = written(Path(words[0]), words[1], words[2], Path(words[3]))
    last = datetime.fromtimestamp((path.parent / "weather.csv").stat().st_mtime, UTC)
    options = f"--site {path} --data-dir {path.parent}"
    files = f"--runs {path.parent / 'runs.csv'} --actual {path.parent / 'actual.csv'}"
    print(f"chergui forecast train {options} {files} --now {rfc3339(last - timedelta(days=14))}")
    print(f"chergui forecast score {options} {files} --now {rfc3339(last)}")
    print(f"chergui forecast show  {options} --hours 12 --now {rfc3339(last)}")


if __name__ == "__main__":
    main(sys.argv[1:])
