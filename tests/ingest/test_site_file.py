"""Site files: both samples load, and a bad one is told everything at once."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from ingest.site_file import SAMPLES, find_site, read_site, resolved_site, sample_path
from models.errors import InvalidInput, NotFound
from models.horizon import Horizon
from models.safety import default_proof


def raw_of(name):
    return tomllib.loads(sample_path(name).read_text())


def faults_of(raw):
    with pytest.raises(InvalidInput) as caught:
        resolved_site(raw)
    return {fault.pointer: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_loads_and_says_that_it_is_assumed(name):
    site = read_site(find_site(name))
    text = sample_path(name).read_text()
    assert site.name == name
    assert "assumed" in site.note.lower()
    assert "assumed" in site.tariff.note
    for part in (*site.solar, *site.wind, *site.batteries, *site.feeds, site.grid, site.base_load, site.wishes):
        assert "assumed" in part.note.lower(), part
    assert text.startswith("# Sample site")


def test_dakhla_is_a_campus_of_500_mw_of_which_the_built_phase_is_planned():
    site = read_site(sample_path("dakhla"))
    assert sum(phase.it_mw for phase in site.phases) == pytest.approx(500, abs=1)
    built = sum(phase.it_mw for phase in site.phases if phase.status == "built")
    busy = sum(
        pool.gpus * (max(c.points[-1].drawn_w for c in site.gpu(pool.gpu).curves) + site.host_w(pool)) / 1e6
        for pool in site.pools
    )
    assert busy == pytest.approx(built, rel=0.05)
    assert {pool.gpu for pool in site.pools} == {"H100-SXM", "B200-SXM"}
    assert len({pool.domain for pool in site.pools}) == 2
    assert site.timezone == "Africa/El_Aaiun"
    assert site.currency == "MAD"
    assert site.cooling.air
    assert site.cooling.liquid


def test_local_is_twelve_nodes_of_eight():
    (pool,) = read_site(sample_path("local")).pools
    assert (pool.gpus, pool.gpus // pool.gpus_per_node) == (96, 12)


def test_every_error_is_listed_at_once_with_path_value_and_mend():
    raw = raw_of("dakhla")
    raw["timezone"] = "Africa/El_Aiun"
    raw["currency"] = "dirham"
    raw["pools"][0]["gpus"] = -5
    raw["pools"][1]["gpu"] = "B200-SMX"
    raw["feeds"][0]["pools"] = ["h100-b"]
    raw["feeds"][1]["limit_mw"] = "9"
    raw["batteries"][0]["soc_max_mwh"] = 50.0
    raw["batteries"][0]["color"] = "red"
    raw["grid"]["firm_limit_mw"] = 25.0
    raw["wishes"]["unmet_per_gpu_h"] = {"low": 0.5, "normal": 30.0}
    raw["cooling"]["air"]["model"] = "air-cooled-chiler-18"
    raw["solar"][0]["azimut_deg"] = 180.0
    raw["weather"]["kind"] = "open_meteo"
    found = faults_of(raw)
    assert "did you mean Africa/El_Aaiun?" in found["timezone"]
    assert "'dirham'" in found["currency"]
    assert found["pools[0].gpus"].startswith("-5: ")
    assert "did you mean B200-SXM?" in found["pools[1].gpu"]
    assert found["feeds[0].pools[0]"] == "'h100-b' is no pool of this site; known: h100-a, b200-a"
    assert found["feeds[1].limit_mw"].startswith("'9': ")
    assert "batteries[0].color" in found
    assert found["grid.firm_limit_mw"] == "25 MW is above import_limit_mw 16; lower it"
    assert "below value_per_gpu_h 1" in found["wishes.unmet_per_gpu_h.low"]
    assert "wishes.unmet_per_gpu_h.high" in found
    assert "did you mean air-cooled-chiller-18?" in found["cooling.air.model"]
    assert "did you mean azimuth_deg?" in found["solar[0].azimut_deg"]
    assert "add url" in found["weather.url"]
    assert len(found) == 13


def test_rules_of_a_part_are_listed_beside_each_other():
    raw = raw_of("dakhla")
    raw["batteries"][0] |= {"soc_max_mwh": 50.0, "soc_assumed_mwh": 1.0}
    raw["grid"]["windows"][0]["import_limit_mw"] = 30.0
    raw["planning"]["horizon_h"] = 36.1
    found = faults_of(raw)
    assert set(found) == {
        "batteries[0].soc_max_mwh",
        "batteries[0].soc_assumed_mwh",
        "grid.windows[0].import_limit_mw",
        "planning.horizon_h",
    }


def test_references_between_sections_are_checked():
    raw = raw_of("dakhla")
    raw["pools"][0]["default"]["limit_w"] = 900
    raw["pools"][1]["default"]["idle_limit_w"] = 20
    raw["pools"][1]["phase"] = "phase-9"
    raw["feeds"][1]["pools"] = ["b200-a", "h100-a"]
    raw["shed_groups"][0]["pools"] = ["nowhere"]
    raw["wind"][0]["name"] = "pv-south"
    found = faults_of(raw)
    assert "200 to 700 W that H100-SXM accepts" in found["pools[0].default.limit_w"]
    assert "pools[1].default.idle_limit_w" in found
    assert "known: phase-1" in found["pools[1].phase"]
    assert "already hangs on feed 'feeder-a'" in found["feeds[1].pools[1]"]
    assert "'nowhere' is no pool" in found["shed_groups[0].pools[0]"]
    assert "already stands at solar[0]" in found["wind[0].name"]


def test_a_row_of_the_files_own_wins_over_the_catalogue():
    raw = raw_of("local")
    row = read_site(sample_path("local")).gpu("H100-SXM").model_dump(mode="json")
    raw["gpu_models"] = [{**row, "idle_w": 99.0, "idle_evidence": "measured", "idle_source": "our meter"}]
    site = resolved_site(raw)
    assert site.gpu("H100-SXM").idle_w == 99.0
    assert [model.key for model in site.gpu_models].count("H100-SXM") == 1


def test_what_a_site_file_says_of_a_cooling_side_wins_over_the_catalogue():
    raw = raw_of("local")
    raw["cooling"]["air"]["supply_c"] = 14.0
    assert resolved_site(raw).cooling.air.supply_c == 14.0
    assert resolved_site(raw_of("local")).cooling.air.supply_c == 18.0


def test_weather_that_is_not_there_is_told_so(tmp_path):
    text = sample_path("local").read_text().replace("[planning]\ngap", "[planning]\nstep_minutes = 7\ngap")
    path = tmp_path / "site.toml"
    path.write_text(text.replace('climate = "casablanca"', 'climate = "atlantis"'))
    with pytest.raises(InvalidInput) as caught:
        read_site(path)
    found = {fault.pointer: fault.message for fault in caught.value.faults}
    assert "write one of casablanca, dakhla" in found["weather.climate"]
    assert "does not divide an hour" in found["planning.step_minutes"]
    path.write_text(text.replace('"synthetic"\nclimate = "casablanca"', '"epw"\npath = "year.epw"'))
    with pytest.raises(InvalidInput, match=r"no file 'year\.epw' beside the site file"):
        read_site(path)


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "not_readable"), (b"name = ", "not_toml"), (b"name = '\xff'", "not_utf8"), (b"", "missing")],
)
def test_a_file_that_is_none_is_told_so(tmp_path, content, code):
    path = tmp_path / "site.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        read_site(path)
    assert caught.value.faults[0].code == code


@pytest.mark.parametrize("name", SAMPLES)
def test_the_defaults_of_a_sample_come_under_its_firm_limit(name):
    proof = default_proof(read_site(sample_path(name)))
    assert proof.holds
    assert [stage.facility_mw for stage in proof.stages] == sorted(
        (stage.facility_mw for stage in proof.stages), reverse=True
    )


def test_defaults_that_stay_above_the_firm_limit_are_reported_with_the_mend():
    raw = raw_of("dakhla")
    raw["grid"]["firm_limit_mw"] = 6.0
    proof = default_proof(resolved_site(raw))
    assert not proof.holds
    assert "above its firm 6 MW: add pools to shed_groups" in proof.sentence
    raw = raw_of("dakhla")
    raw["batteries"][0]["reserve_mwh"] = 0.0
    proof = default_proof(resolved_site(raw))
    assert not proof.holds
    assert "raise reserve_mwh" in proof.sentence


def test_defaults_by_hand():
    # local: 96 GPUs; finetune draws most under 350 W; IT = 96 x (drawn + 350 W)
    site = read_site(sample_path("local"))
    drawn = max(p.drawn_w for c in site.gpu("H100-SXM").curves for p in c.points if p.limit_w == 350)
    assert default_proof(site).stages[0].it_mw == pytest.approx(96 * (drawn + 350) / 1e6)
    assert default_proof(site).stages[1].it_mw == pytest.approx(96 * (73 + 0.6 * 350) / 1e6)


def test_import_windows_and_base_load_follow_the_local_clock():
    site = read_site(sample_path("dakhla"))
    start = datetime(2026, 6, 3, tzinfo=UTC)  # El Aaiun is on UTC+1 that day
    horizon = Horizon(start, timedelta(minutes=15), 96)
    limits = site.import_limit_mw(horizon)
    assert [k for k, limit in enumerate(limits) if limit == 10.0] == list(range(17 * 4, 22 * 4))
    load = site.base_load_mw(horizon)
    assert load[0] == pytest.approx(1.6 * 0.84)
    assert load[23 * 4] == pytest.approx(1.6 * 0.86)


def test_an_unknown_pool_is_not_found():
    site = read_site(sample_path("local"))
    with pytest.raises(NotFound):
        site.pool("other")
    with pytest.raises(NotFound):
        site.gpu("other")


def test_reading_a_site_stays_light():
    code = (
        "import sys; from ingest.site_file import read_site, sample_path; read_site(sample_path('dakhla'));"
        "heavy = {'numpy', 'pandas', 'pyomo', 'sklearn', 'scipy', 'pvlib', 'highspy', 'rich'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_sample_keeps_in_comments_is_a_site_too():
    text = sample_path("dakhla").read_text(encoding="utf-8")
    assert "#:[cooling.tank]" in text
    site = resolved_site(tomllib.loads(text.replace("#:", "")))
    assert [mass.name for mass in site.cooling.masses] == ["hall", "loop"]
    assert site.cooling.tank.energy_mwh == 12.0
