"""``chergui forecast``: train, score and show on the sample site and on files, with refusals that name the mend."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import app
from api.forecast_shelf import Shelf
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.forecast_history import read_past, read_runs, synthetic_past
from models.errors import InvalidInput
from models.forecast.site import PV, WIND
from models.horizon import parse_rfc3339, rfc3339
from models.weather import REQUIRED

NOW = "2026-06-01T06:20:00Z"
RUN = CliRunner()


@pytest.fixture(scope="module")
def folder(trained_folder):
    return trained_folder


def forecast(folder, *words, now=NOW):
    return RUN.invoke(app, ["forecast", *words, "--data-dir", str(folder), "--now", now])


def test_training_tells_every_baseline_and_what_is_not_proven(folder):
    told = (folder / "told.txt").read_text()
    for word in ("learned", "climatology", "persistence", "clear-sky persistence", "physics", "P5 to P95 covers"):
        assert word in told
    assert "unproven until 60 are" in told
    assert "promoted" in told


def test_only_what_beats_its_baselines_is_kept(folder):
    told = (folder / "told.txt").read_text()
    cards = {path.stem for path in (folder / "forecasts" / "dakhla").glob("*.json")}
    assert len(cards) == told.count("  promoted: ")
    assert cards <= {PV, WIND}
    assert cards, "the sample's weather errors can be learned from"


def test_the_fan_is_shown_with_step_age_and_skill(folder):
    done = forecast(folder, "show", "--hours", "6")
    assert done.exit_code == 0, done.output
    assert "single run" in done.output
    assert "known since 2026-06-01T06:00:00Z" in done.output
    assert "by lead: under 6 h" in done.output
    rows = [line.split() for line in done.output.splitlines() if line.startswith("  2026-06-01 ")]
    assert rows
    for _, _, low, middle, high in rows:
        assert 0 <= float(low) <= float(middle) <= float(high)


def test_a_kept_model_is_scored_on_the_days_that_followed(folder):
    done = forecast(folder, "score", "--days", "30", now="2026-06-10T00:00:00Z")
    assert done.exit_code in (0, 1), done.output
    assert "2026-06-08" in done.output
    assert "2026-05-30" not in done.output


def test_a_model_that_has_fallen_back_leaves_the_place_to_the_physics(folder, tmp_path):
    place = tmp_path / "forecasts"
    shutil.copytree(folder / "forecasts", place)
    shelf = Shelf(tmp_path, "dakhla")
    quantity = next(place.glob("dakhla/*.json")).stem
    shelf.note(quantity, shelf.card(quantity)["digest"], False, "persistence did better")
    done = forecast(tmp_path, "show", "--hours", "2")
    assert done.exit_code == 0, done.output
    assert f"{quantity}: fallen back to the physics (persistence did better)" in done.output
    shelf.note(quantity, "of an older model", False, "persistence did better")
    assert shelf.fallen_back(quantity) is None


def test_too_few_days_do_not_lift_a_fall(folder, tmp_path):
    """The meters' past was lost, or begins anew: what had shown that a baseline did better has not become untrue."""
    shutil.copytree(folder / "forecasts", tmp_path / "forecasts")
    shelf = Shelf(tmp_path, "dakhla")
    quantity = next(shelf.folder.glob("*.json")).stem
    shelf.note(quantity, shelf.card(quantity)["digest"], False, "persistence did better", 14)
    done = forecast(tmp_path, "score", "--days", "30", now="2026-06-04T00:00:00Z")
    assert f"{quantity}: has fallen back to the physics\n  persistence did better; since then" in done.output
    assert shelf.fallen_back(quantity) == "persistence did better"
    early = forecast(tmp_path, "score", "--days", "30", now="2026-05-20T00:00:00Z")
    assert early.exit_code == 2
    assert "after the issue time 2026-05-20" in early.output


def test_a_damaged_model_is_refused_and_said_and_stops_nothing(folder, tmp_path):
    shelf = folder / "forecasts" / "dakhla"
    copy = tmp_path / "forecasts" / "dakhla"
    shutil.copytree(shelf, copy)
    broken = next(copy.glob("*.skops"))
    broken.write_bytes(broken.read_bytes()[:-9])
    said: list[str] = []
    quantity = broken.name.partition("-")[0]
    assert quantity not in Shelf(tmp_path, "dakhla").models([quantity], said.append)
    assert "train anew" in said[0]


def test_a_model_that_knows_what_came_later_forecasts_nothing(folder):
    """The clock was set back, or a past instant is asked for: its answers would be hindsight."""
    done = forecast(folder, "show", "--hours", "2", now="2026-05-20T00:00:00Z")
    assert done.exit_code == 2
    assert "available_at: known since 2026-06-01T06:20:00Z, after the issue time 2026-05-20T00:00:00Z" in done.output


def test_a_note_that_does_not_say_how_a_model_stands_is_refused(folder, tmp_path):
    shutil.copytree(folder / "forecasts", tmp_path / "forecasts")
    shelf = Shelf(tmp_path, "dakhla")
    quantity = next(shelf.folder.glob("*.json")).stem
    (shelf.folder / f"{quantity}.standing").write_text(json.dumps({"digest": shelf.card(quantity)["digest"]}))
    done = forecast(tmp_path, "show", "--hours", "2")
    assert done.exit_code == 2
    assert "score anew" in done.output


def test_a_plant_that_grew_since_the_training_is_said(folder, tmp_path):
    shelf = Shelf(folder, "dakhla")
    cards = {path.stem: json.loads(path.read_text()) for path in shelf.folder.glob("*.json")}
    quantity, card = next(iter(cards.items()))
    key = "inverter_ac_mw" if quantity == PV else "count"
    site = tmp_path / "site.toml"
    text = sample_path("dakhla").read_text()
    grown = re.sub(rf"^{key} = (\d+)(\S*)$", rf"{key} = 1\1\2", text, flags=re.M)
    site.write_text(grown)
    done = forecast(folder, "show", "--site", str(site), "--hours", "2")
    assert done.exit_code == 0, done.output
    assert f"of {card['capacity_mw']:g} MW, taken in proportion for the plant's" in done.output
    assert "taken in proportion" not in forecast(folder, "show", "--hours", "2").output


def test_a_model_that_stands_in_the_place_of_another_is_refused(folder, tmp_path):
    shutil.copytree(folder / "forecasts", tmp_path / "forecasts")
    shelf = Shelf(tmp_path, "dakhla")
    quantity = next(shelf.folder.glob("*.json")).stem
    other = WIND if quantity == PV else PV
    for path in [*shelf.folder.glob(f"{other}*")]:
        path.unlink()
    for path in [*shelf.folder.glob(f"{quantity}*")]:
        path.rename(path.with_name(path.name.replace(quantity, other)))
    with pytest.raises(InvalidInput, match=f"it is a model of {quantity}"):
        shelf.model(other)


def test_without_a_model_show_and_score_name_the_next_step(tmp_path):
    for word in ("show", "score"):
        done = forecast(tmp_path, word)
        assert done.exit_code == 2
        assert "chergui forecast train" in done.output


def test_one_file_without_the_other_is_refused(tmp_path):
    done = forecast(tmp_path, "train", "--runs", "runs.csv")
    assert done.exit_code == 2
    assert "give both" in done.output


def written(path, past):
    """A past as the two files."""
    head = "# latitude_deg = 23.7\n# longitude_deg = -15.93\n# altitude_m = 12\n# wind_height_m = 10\n"
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["issued_at", "time", *REQUIRED])
    for run, issue in zip(past.runs, past.issues, strict=True):
        for k in range(len(run)):
            rows.writerow([rfc3339(issue), rfc3339(run.start + k * run.step), *(run[name][k] for name in REQUIRED)])
    runs = path / "runs.csv"
    runs.write_text(head + "# radiation_stamp = start\n# state_stamp = start\n# source = test\n" + text.getvalue())
    pv, wind = past.actual[PV], past.actual[WIND]
    lines = [f"{rfc3339(s)},{a},{b}" for s, a, b in zip(pv.starts(), pv.values, wind.values, strict=True)]
    actual = path / "actual.csv"
    actual.write_text(f"time,{PV},{WIND}\n" + "\n".join(lines) + "\n")
    return runs, actual


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("past"), short_past())


def short_past():
    return synthetic_past(read_site(sample_path("dakhla")), parse_rfc3339(NOW), 3)


def test_files_give_back_the_past_that_was_written(files):
    past, again = short_past(), read_past(*files)
    assert again.issues == list(past.issues)
    assert [run.available_at for run in again.runs] == again.issues
    assert again.runs[2]["ghi_w_m2"].tolist() == pytest.approx(past.runs[2]["ghi_w_m2"].tolist())
    assert again.actual[WIND].values.tolist() == pytest.approx(past.actual[WIND].values.tolist())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("issued_at,", "known,", "put issued_at first"),
        ("\n2026-05-29T00:00:00Z,2026-05-29T05", "\n2026-05-29T00:00:00Z,2026-05-29T04", "stands twice"),
        ("\n2026-05-30T00:00:00Z", "\nnever", "is not an RFC 3339 time"),
        ("\n2026-05-31T00:00:00Z,", "\n2026-05-28T00:00:00Z,", "sort by issued_at"),
    ],
)
def test_runs_that_are_wrong_are_refused_with_the_mend(files, tmp_path, old, new, says):
    text = files[0].read_text()
    assert old in text
    path = tmp_path / "runs.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(InvalidInput, match=says):
        read_runs(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: [*rows[:5], rows[4], *rows[5:]], "stands twice; keep one row"),
        (lambda rows: [*rows[:5], *rows[6:]], "1 row\\(s\\) missing between"),
        (lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]], "sort by time"),
        (lambda rows: [row.replace("Z,", ",") for row in rows], "offset"),
        (lambda rows: [row.rpartition(",")[0] + "," for row in rows], "no value at all; drop the column"),
        (lambda rows: [*rows[:5], rows[5].rpartition(",")[0] + ",much", *rows[6:]], "much"),
    ],
)
def test_measured_power_that_is_wrong_is_refused_with_the_mend(files, tmp_path, change, says):
    head, *rows = files[1].read_text().splitlines()
    path = tmp_path / "actual.csv"
    path.write_text("\n".join([head, *change(rows)]) + "\n")
    with pytest.raises(InvalidInput, match=says):
        read_past(files[0], path)


@pytest.mark.parametrize("name", ["runs.csv", "actual.csv"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", "no row in it; it needs a header"),
        (lambda text: "".join(line for line in text.splitlines(True) if line[0] in "#it"), "no row in it"),
        (lambda text: text.replace(",", ";"), "parts columns by semicolons; save it with commas"),
    ],
)
def test_files_that_are_empty_or_of_another_spreadsheet_are_refused_with_the_mend(files, tmp_path, name, change, says):
    changed = tmp_path / name
    text = next(path for path in files if path.name == name).read_text()
    changed.write_text(change(text))
    assert changed.read_text() != text
    with pytest.raises(InvalidInput, match=says):
        read_past(*[changed if path.name == name else path for path in files])


def test_a_byte_order_mark_is_no_part_of_the_first_column(files, tmp_path):
    marked = [tmp_path / path.name for path in files]
    for path, plain in zip(marked, files, strict=True):
        path.write_text(plain.read_text(), encoding="utf-8-sig")
    assert read_past(*marked).issues == read_past(*files).issues


def test_a_run_that_was_cut_off_is_named_by_its_issue(files, tmp_path):
    lines = files[0].read_text().splitlines()
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines[:-47]) + "\n")
    with pytest.raises(InvalidInput, match=r"issue 2026-05-31T00:00:00Z, time: 1 time\(s\); at least two"):
        read_runs(path)


def test_a_header_that_is_wrong_is_told_once_with_its_bounds(files, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(files[0].read_text().replace("# latitude_deg = 23.7", "# latitude_deg = 237"))
    with pytest.raises(InvalidInput, match="latitude_deg: 237 lies outside -90 to 90") as error:
        read_runs(path)
    assert len(error.value.faults) == 1


@pytest.mark.parametrize(
    ("head", "change", "says"),
    [
        (f"time,{PV},{PV}", lambda rows: rows, "pv_available_mw: this column stands twice"),
        (f"time,{WIND},pv_limited", lambda rows: rows, "pv_limited: no pv_available_mw beside it"),
        (
            f"time,{PV},pv_limited",
            lambda rows: limits(rows, "100"),
            "the first 100 at 2026-05-29T05:00:00Z; give the sh",
        ),
        (f"time,{PV},pv_limited", lambda rows: limits(rows, "-1"), "the first -1 at 2026-05-29T05"),
        (f"time,{PV},pv_limited", lambda rows: limits(rows, ""), "empty beside a power at .*; write 0 where the plant"),
        (f"time,{PV},{WIND}", lambda rows: rows[::3], "slots of 3:00:00; give slots of 15, 30 or 60 minutes"),
    ],
)
def test_columns_of_measured_power_that_do_not_fit_are_refused(files, tmp_path, head, change, says):
    path = tmp_path / "actual.csv"
    path.write_text("\n".join([head, *change(files[1].read_text().splitlines()[1:])]) + "\n")
    with pytest.raises(InvalidInput, match=says):
        read_past(files[0], path)


def limits(rows, odd):
    return [row.rpartition(",")[0] + ("," + odd if k == 5 else ",0") for k, row in enumerate(rows)]


def test_a_limit_that_is_not_known_may_stand_beside_a_power_that_is_not(files, tmp_path):
    path = tmp_path / "actual.csv"
    rows = limits(files[1].read_text().splitlines()[1:], "")
    rows[5] = rows[5].partition(",")[0] + ",,"
    path.write_text("\n".join([f"time,{PV},pv_limited", *rows]) + "\n")
    assert len(read_past(files[0], path).limited[PV]) == len(rows)


def test_power_of_a_plant_that_the_site_has_not_is_refused(files, tmp_path):
    text = sample_path("dakhla").read_text()
    first, last = text.index("[[wind]]"), text.index("[grid]")
    site = tmp_path / "site.toml"
    site.write_text(text[:first] + text[last:])
    words = ["--site", str(site), "--runs", str(files[0]), "--actual", str(files[1])]
    done = forecast(tmp_path, "train", *words)
    assert done.exit_code == 2
    assert "wind_available_mw: the site file has no such plant; drop the column" in done.output


def test_weather_runs_of_another_place_are_said(files, tmp_path):
    moved = tmp_path / "runs.csv"
    moved.write_text(files[0].read_text().replace("# latitude_deg = 23.7", "# latitude_deg = 27.7"))
    for runs, said in ((moved, True), (files[0], False)):
        done = forecast(tmp_path, "train", "--runs", str(runs), "--actual", str(files[1]))
        assert (
            "the weather runs are of another place (27.7, -15.93), 4.0 degrees from the site" in done.output
        ) is said


def test_a_site_without_sun_and_wind_has_nothing_to_learn_and_says_so(tmp_path):
    text = sample_path("dakhla").read_text()
    first, last = text.index("[[solar]]"), text.index("[[batteries]]")
    site = tmp_path / "site.toml"
    site.write_text(text[:first] + text[last:])
    done = forecast(tmp_path, "train", "--site", str(site), "--days", "30")
    assert done.exit_code == 2
    assert "there is nothing to learn" in done.output


def test_hours_told_by_a_local_clock_are_the_same_hours(files, tmp_path):
    """The clock goes back for Ramadan: an offset says which hour is meant, also of a doubled one."""
    moved = tmp_path / "actual.csv"
    head, *rows = files[1].read_text().splitlines()
    local = [local_row(row, "+01:00" if k < 30 else "+00:00") for k, row in enumerate(rows)]
    moved.write_text("\n".join([head, *local]) + "\n")
    assert sorted(row[:19] for row in local) != sorted({row[:19] for row in local}), "an hour is told twice"
    ours, theirs = read_past(*files).actual[WIND], read_past(files[0], moved).actual[WIND]
    assert ours.starts() == theirs.starts()
    assert ours.values.tolist() == theirs.values.tolist()


def local_row(row, offset):
    at, rest = row.split(",", 1)
    local = parse_rfc3339(at) + timedelta(hours=int(offset[:3]))
    return f"{local:%Y-%m-%dT%H:%M:%S}{offset},{rest}"


def test_a_forecast_that_is_issued_late_rests_on_the_last_run_and_says_so(folder, tmp_path):
    """A weather file known since 19 hours ago: older than 12 h, and shown as such; one known later is not looked at."""
    past = synthetic_past(read_site(sample_path("dakhla")), parse_rfc3339("2026-06-03T06:20:00Z"), 3)
    run = past.runs[-1]
    lines = ["# latitude_deg = 23.7", "# longitude_deg = -15.93", "# altitude_m = 12", "# wind_height_m = 10"]
    lines += ["# radiation_stamp = start", "# state_stamp = start", "# source = test", ",".join(("time", *REQUIRED))]
    lines += [",".join([rfc3339(run.start + k * run.step), *(str(run[n][k]) for n in REQUIRED)]) for k in range(48)]
    (tmp_path / "weather.csv").write_text("\n".join(lines) + "\n")
    text = sample_path("dakhla").read_text()
    kind = 'kind = "synthetic"'
    assert text.count(kind) == 1
    site = tmp_path / "site.toml"
    site.write_text(text.replace(kind, 'kind = "csv"\npath = "weather.csv"'))
    shutil.copytree(folder / "forecasts", tmp_path / "forecasts")
    known = parse_rfc3339("2026-06-02T00:00:00Z").timestamp()
    os.utime(tmp_path / "weather.csv", (known, known))
    words = ["forecast", "show", "--site", str(site), "--data-dir", str(tmp_path), "--hours", "2"]
    late = RUN.invoke(app, [*words, "--now", "2026-06-02T19:00:00Z"])
    assert late.exit_code == 0, late.output
    assert "last run (the last run is of 2026-06-02T00:00:00Z, older than 12 h)" in late.output
    (tmp_path / "weather.csv").write_text("\n".join([*lines[:20], *lines[21:]]) + "\n")
    holed = RUN.invoke(app, [*words, "--now", "2026-06-02T19:00:00Z"])
    assert holed.exit_code == 2
    assert "time.12: 1 row(s) missing between 2026-06-02T11:00:00Z and 2026-06-02T13:00:00Z" in holed.output
    (tmp_path / "weather.csv").write_text("\n".join(lines) + "\n")
    os.utime(tmp_path / "weather.csv", (known, known))
    early = RUN.invoke(app, [*words, "--now", "2026-06-01T19:00:00Z"])
    assert early.exit_code == 2
    assert "was not known yet" in early.output


def test_a_card_says_what_the_model_is(folder):
    card = json.loads(next((folder / "forecasts" / "dakhla").glob("*.json")).read_text())
    assert card["known_until"] == NOW
    assert len(card["digest"]) == 64
    assert card["window"][0].startswith("2026-05-02")
    assert set(card["versions"]) == {"numpy", "scikit-learn", "skops", "python"}


@pytest.fixture(scope="module")
def loads_file(tmp_path_factory):
    """75 days of base and IT load by the half hour up to the 1st of June, with a rhythm and some luck."""
    slots = 75 * 48
    rng = np.random.default_rng(2)
    day = np.sin(np.arange(slots) / 48 * 2 * np.pi)
    rows = zip(2 + 0.5 * day + 0.05 * rng.normal(size=slots), 9 + 3 * day + rng.normal(size=slots), strict=True)
    first = parse_rfc3339("2026-06-01T06:00:00Z") - timedelta(days=75)
    path = tmp_path_factory.mktemp("loads") / "loads.csv"
    lines = [f"{rfc3339(first + k * timedelta(minutes=30))},{a:.3f},{b:.3f}" for k, (a, b) in enumerate(rows)]
    path.write_text("\n".join(["time,base_load_mw,it_mw", *lines]) + "\n")
    return path


@pytest.mark.usefixtures("few_trees")
def test_loads_of_a_file_are_shown_with_their_skill_and_the_cooling_of_the_it_load(loads_file, tmp_path):
    done = forecast(tmp_path, "show", "--loads", str(loads_file), "--hours", "6")
    assert done.exit_code == 0, done.output
    heads = [line.split(":")[0] for line in done.output.splitlines() if line[:1].strip()]
    assert heads == ["base_load_mw", "it_mw", "cooling_mw"]
    assert done.output.count("better than 24 h persistence") == 2, "base and IT load"
    assert "the IT load through the site file's physics" in done.output
    rows = [list(map(float, line.split()[2:])) for line in done.output.splitlines() if line.startswith("  2026-06-01 ")]
    assert len(rows) == 3 * 6
    assert all(low <= middle <= high for low, middle, high in rows)


@pytest.mark.usefixtures("few_trees")
def test_loads_are_scored_beside_what_would_hold_else(loads_file, tmp_path):
    done = forecast(tmp_path, "score", "--loads", str(loads_file))
    assert done.exit_code == 0, done.output
    assert "base_load_mw: learned" in done.output
    assert "cooling_mw" not in done.output, "it has no score, and would take weather"
    assert "over 14 days" in done.output
    assert "unproven until 60 days are scored" in done.output


def test_where_nothing_is_kept_nor_metered_it_is_said(tmp_path):
    done = forecast(tmp_path, "show")
    assert done.exit_code == 2
    assert "no load is metered" in done.output


def test_a_file_of_loads_that_the_site_does_not_have_is_refused(tmp_path):
    path = tmp_path / "loads.csv"
    path.write_text("time,inference_mw/chat\n2026-05-01T00:00:00Z,1\n2026-05-01T01:00:00Z,1\n")
    done = forecast(tmp_path, "show", "--loads", str(path))
    assert done.exit_code == 2
    assert "no load of this site; known: base_load_mw, it_mw" in done.output
