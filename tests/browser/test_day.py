"""The operator's page in a real Chromium: drawn, interactive, readable without script, quiet towards the world."""

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from in_browser import CONTRAST, NEEDS_CHROMIUM, served
from made_edition import START, made_edition

from api.pages import bundle, router
from api.pages.charts import CHARTS
from api.pages.drawings import TIMED
from api.pages.render import charts
from models.horizon import use_packaged_time_zones

pytestmark = [pytest.mark.peer, NEEDS_CHROMIUM]


class Day:
    def __init__(self, edition):
        self.held = edition

    def now(self):
        return START + timedelta(hours=5, minutes=7)

    def current(self):
        return self.held

    def edition(self, plan_id):
        return self.held

    def modes(self):
        return {"h100-a": "shadow", "b200-a": "shadow"}

    def actual(self):
        return None

    def held_back(self):
        return None

    def simulated(self):
        return None


@pytest.fixture(scope="module")
def edition():
    use_packaged_time_zones()
    made = made_edition()
    return made | {"charts": charts(made)}


@pytest.fixture(scope="module")
def day(edition):
    return Day(edition)


@pytest.fixture(scope="module")
def address(day, tmp_path_factory):
    app = FastAPI()
    app.include_router(router)
    app.state.day_source = day
    app.state.chart_folder = bundle.build(tmp_path_factory.mktemp("bundle")).parent
    with served(app) as url:
        yield url


def test_the_page_becomes_interactive_and_asks_nobody_but_its_host(opened, address):
    page, watch = opened()
    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
    for name in CHARTS:
        assert page.locator(f"[data-chart={name}][data-interactive=yes] svg").count() == 1, name
    assert all(url.startswith((address, "data:")) for url in watch.requests), watch.requests
    assert watch.complaints == []


@pytest.mark.parametrize("name", TIMED)
def test_browser_and_server_draw_the_same_axis(opened, name):
    plain, _ = opened(java_script_enabled=False)
    live, _ = opened()
    live.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
    axis = f"[data-chart={name}] .role-axis-label text"
    first = plain.locator(axis).all_text_contents()
    assert first == live.locator(axis).all_text_contents()
    assert "06:00Wed 25 Nov" in first


def test_pointing_at_a_chart_reads_its_table(opened, edition):
    page, watch = opened()
    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
    page.locator("[data-chart=supply]").hover()
    tip = page.locator("#tip").inner_text()
    row = next(
        cells
        for cells in page.locator("#table-supply tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        if cells[0] in tip
    )
    for cell in row:
        assert cell in tip
    assert watch.complaints == []


def test_a_job_stands_in_gantt_and_table_in_both_languages(opened, edition):
    job = edition["problem"]["jobs"][4]["id"]
    for lang, heading in (("en", "Jobs by pool"), ("fr", "Tâches par groupe")):
        page, watch = opened(f"/?lang={lang}")
        page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
        assert page.locator("html").get_attribute("lang") == lang
        assert page.locator("#gantt h2").inner_text() == heading
        assert page.locator("#gantt svg text", has_text=re.compile(f"^{job}$")).count() == 1
        page.locator("#table-gantt summary").click()
        assert page.locator("#table-gantt tbody th", has_text=re.compile(f"^{job}$")).is_visible()
        assert watch.complaints == []


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("unproven", "41 of 60 days", "P5 to P95 held 91%", "0–6 h", "21%", "-2%", "the last run, old")),
        ("fr", ("non éprouvée", "41 jours sur 60", "P5 à P95 a tenu 91", "0–6 h", "21", "la dernière prévision")),
    ],
)
def test_the_fans_stand_with_their_step_and_their_skill_by_lead(opened, lang, words):
    page, watch = opened(f"/?lang={lang}")
    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
    told = re.sub("[\u2068\u2069]", "", page.locator("section.forecasts").inner_text())
    for word in words:
        assert word in told, (word, told)
    assert "no answer in 10 s" in told
    # bands of sun and wind, and the paler one of what a model has learned
    assert page.locator("[data-chart=renewables] .mark-area path").count() == 3
    page.locator("#table-renewables summary").click()
    assert page.locator("#table-renewables thead").inner_text().count("P95 (MW)") == 1
    assert watch.complaints == []


def test_without_script_every_chart_is_drawn_and_every_table_opens(opened, edition):
    page, watch = opened("/?lang=fr", java_script_enabled=False)
    for name in CHARTS:
        assert page.locator(f"[data-chart={name}] > svg").count() == 1
        page.locator(f"#table-{name} summary").click()
        assert page.locator(f"#table-{name} tbody tr").first.is_visible()
    first = edition["plan"]["series"]["it_mw"][0] / 0.95
    assert f"{first:.3f}".replace(".", ",") in page.locator("#table-supply tbody tr").first.inner_text()
    assert watch.complaints == []


def test_the_drawings_of_one_page_clip_and_colour_by_ids_of_their_own(opened):
    page, _ = opened(java_script_enabled=False)
    ids = page.locator("[id]").evaluate_all("nodes => nodes.map(node => node.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(opened, scheme):
    page, _ = opened(color_scheme=scheme)
    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
    weakest = page.evaluate(CONTRAST)
    assert weakest["ratio"] >= 4.5, weakest


def test_a_phone_scrolls_charts_and_not_the_page(opened):
    page, _ = opened()
    page.set_viewport_size({"width": 390, "height": 800})
    page.reload()
    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_newer_plan_replaces_the_page_that_waited(opened, day, edition):
    day.held = None
    try:
        page, _ = opened()
        assert "first plan is being made" in page.locator("h1").inner_text()
    finally:
        day.held = edition
    page.locator("#supply").wait_for(timeout=15_000)
