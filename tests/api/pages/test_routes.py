import subprocess
import sys
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from made_edition import START, made_edition

from api.pages import router
from api.pages.render import charts
from models.errors import NotFound


class Day:
    def __init__(self, edition=None):
        self.held = edition

    def now(self):
        return START + timedelta(hours=5, minutes=7)

    def current(self):
        return self.held

    def edition(self, plan_id):
        if self.held is None or plan_id != self.held["plan_id"]:
            raise NotFound("plan", plan_id)
        return self.held

    def modes(self):
        return {"h100-a": "shadow", "b200-a": "auto"}

    def actual(self):
        return None

    def held_back(self):
        return None

    def simulated(self):
        return None


def client_of(edition, **more):
    app = FastAPI()
    app.include_router(router)
    app.state.day_source = Day(edition)
    for key, value in more.items():
        setattr(app.state, key, value)
    return TestClient(app)


@pytest.fixture(scope="module")
def edition():
    made = made_edition()
    return made | {"charts": charts(made)}


@pytest.fixture(scope="module")
def client(edition, tmp_path_factory):
    return client_of(edition, chart_folder=tmp_path_factory.mktemp("no-bundle"))


def test_the_page_says_how_steady_the_plan_is(edition, client):
    assert "changes an hour" not in client.get("/?lang=en").text
    steady = {"set_point_changes_per_hour": 1.25, "moved_starts": 3}
    page = client_of(edition | {"steadiness": steady}).get("/?lang=en").text
    assert "1.3 changes an hour" in page or "1.2 changes an hour" in page
    assert "starts moved: 3" in page


def test_the_page_says_what_the_plan_costs_over_the_courses_or_that_none_were_weighed(edition, client):
    assert "Scenarios" not in client.get("/?lang=en").text
    told = {"reason": None, "courses": 12, "origin": "past errors", "expected_cost": 1234.4}
    told |= {"least_cost": 900.2, "most_cost": 2000.0, "short_probability": 0.25}
    asked = client_of(edition | {"scenarios": told})
    page = asked.get("/?lang=en").text
    for text in ("1,234", " on average over 12, ", "900", "2,000", "short of power in ", "25%"):
        assert text in page, text
    assert "en moyenne sur 12" in asked.get("/?lang=fr").text
    page = client_of(edition | {"scenarios": {"reason": "too little past"}}).get("/?lang=en").text
    assert "not weighed" in page
    assert 'title="too little past"' in page


def test_the_page_says_mode_plan_gap_method_and_that_it_is_synthetic(client):
    page = client.get("/?lang=en").text
    for text in ("MIXED", "1.42", "at most", "3.1%", "MILP, best found in time", "(+00:00)", "synthetic", "11:07"):
        assert text.replace("(+00:00)", "+00:00") in page, text
    assert page.count("<svg") >= 9
    assert '<html lang="en"' in page


def test_french_is_french_throughout(client):
    page = client.get("/?lang=fr").text
    assert '<html lang="fr"' in page
    for text in ("Offre face à la demande", "au plus", "3,1\u00a0%", "Premier arrivé, premier servi", "synthétique"):
        assert text in page, text
    assert "Supply against demand" not in page


def test_a_chosen_language_is_remembered(edition):
    client = client_of(edition)
    assert '<html lang="fr"' in client.get("/", headers={"Accept-Language": "fr-MA"}).text
    client.get("/?lang=fr")
    assert '<html lang="fr"' in client.get("/", headers={"Accept-Language": "en"}).text


def test_a_gap_that_is_not_known_is_said_so():
    page = client_of(made_edition(gap=None)).get("/?lang=en").text
    assert "not known yet" in page
    assert "at most" not in page


@pytest.mark.parametrize("path", ["/", "/day.json", "/charts.json", "/tables/supply.csv", "/status.json"])
def test_the_policy_allows_neither_inline_nor_foreign_script(client, path):
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_page_carries_inline_style_handlers_or_scripts(client):
    page = client.get("/").text
    assert " style=" not in page
    assert " onclick" not in page
    assert "<script>" not in page
    assert "//" not in page.replace("http://www.w3.org", "")


def test_without_the_bundle_there_is_no_script_and_with_it_there_is(client, edition, tmp_path, monkeypatch):
    from api.pages import bundle

    monkeypatch.setattr(bundle, "PACKAGED", tmp_path / "nowhere")
    assert "<script" not in client.get("/").text
    bundle.script_path(tmp_path).write_text("window.vegaEmbed = 1;")
    scripted = client_of(edition, chart_folder=tmp_path)
    assert f"/static/{bundle.script_path().name}" in scripted.get("/").text
    assert scripted.get(f"/static/{bundle.script_path().name}").text == "window.vegaEmbed = 1;"


def test_the_json_twin_is_the_same_view(client, edition):
    day = client.get("/day.json").json()
    assert day["plan_id"] == edition["plan_id"]
    assert day["supply"]["import"] == edition["plan"]["series"]["import_mw"]
    assert day["live"]["slot"] == 20


def test_charts_json_gives_the_kept_specifications(client, edition):
    kept = client.get("/charts.json?lang=fr").json()
    assert kept["specs"]["gantt"] == edition["charts"]["gantt"]["spec"]["fr"]


def test_tables_come_as_csv(client, edition):
    answer = client.get("/tables/gantt.csv?lang=en")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.text.splitlines()) == 1 + len(edition["problem"]["jobs"])
    assert client.get("/tables/nothing.csv").status_code == 404


@pytest.mark.parametrize("name", ["../words.py", "..%2Fwords.py", "nothing.css", "built", ""])
def test_only_our_files_are_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_the_history_shows_a_plan_by_its_name_and_does_not_ask_for_a_newer_one(client, edition):
    page = client.get(f"/plans/{edition['plan_id']}").text
    assert "data-archived" in page
    with pytest.raises(NotFound):
        client.get("/plans/pln_none")


def test_before_the_first_plan_the_page_waits_and_renews_itself():
    client = client_of(None)
    page = client.get("/?lang=en")
    assert page.status_code == 200
    assert "The first plan is being made" in page.text
    assert 'http-equiv="refresh"' in page.text
    assert client.get("/day.json").status_code == 503


def test_an_undrawn_plan_still_has_its_tables():
    page = client_of(made_edition()).get("/?lang=en").text
    assert "pr-100" in page
    assert "<table>" in page


def test_hostile_names_are_escaped():
    made = made_edition(jobs=2)
    made["sources"][0]["source"] = "<script>alert(1)</script>"
    page = client_of(made).get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_pages_import_nothing_heavy():
    heavy = "numpy pandas pyomo sklearn scipy pvlib highspy vl_convert influxdb_client rich"
    code = f"import sys, api.pages; print([n for n in '{heavy}'.split() if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("unproven", "41 of 60 days", "several weather models", "the last run, old", "beyond 36 h")),
        ("fr", ("non éprouvée", "41 jours sur 60", "plusieurs modèles météo", "la dernière prévision, ancienne")),
    ],
)
def test_forecasts_say_their_step_and_what_they_have_been_worth(client, lang, words):
    page = client.get(f"/?lang={lang}").text
    section = page[page.index('<section class="forecasts"') :]
    section = section[: section.index("</section>")]
    for word in (*words, "no model is trained"):
        assert word in section


@pytest.mark.parametrize(("lang", "words"), [("en", ("IT load", "Cooling power")), ("fr", ("Charge informatique",))])
def test_loads_are_named_and_a_service_by_its_own_name(edition, lang, words):
    told = edition["forecasts"]["wind_available_mw"] | {"kind": "usual", "step": None}
    page = client_of(edition | {"forecasts": dict.fromkeys(("inference_mw/chat", "it_mw", "cooling_mw"), told)})
    section = page.get(f"/?lang={lang}").text.partition('<section class="forecasts"')[2].partition("</section>")[0]
    for word in (*words, "Service chat"):
        assert word in section


def test_an_edition_of_before_says_nothing_of_its_forecasts(edition):
    older = {key: value for key, value in edition.items() if key != "forecasts"}
    page = client_of(older).get("/?lang=en")
    assert page.status_code == 200
    assert 'class="forecasts"' not in page.text


def test_what_is_proven_is_not_called_unproven(edition):
    told = edition["forecasts"]["wind_available_mw"]
    proven = told | {"scores": told["scores"] | {"days": 75, "proven": True}}
    page = client_of(edition | {"forecasts": {"wind_available_mw": proven}}).get("/?lang=en").text
    assert "75 days scored" in page
    assert ">unproven<" not in page


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("measured", ">prior<", "sweep of 3 May", "0.012", "2.1%", "Cooling, air side")),
        ("fr", ("mesurée", ">a priori<", "sweep of 3 May", "0,012", "2,1", "Froid, côté air")),
    ],
)
def test_curves_say_whether_they_were_measured_and_how_far_the_pieces_err(client, lang, words):
    page = client.get(f"/?lang={lang}").text
    section = page[page.index('<section class="curves"') :]
    section = section[: section.index("</section>")]
    for word in words:
        assert word in section
