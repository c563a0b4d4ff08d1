"""Readings that are held back in a real Chromium: seen on the day, opened, released with a key, without any script."""

from datetime import timedelta

import pytest
from in_browser import CONTRAST, NEEDS_CHROMIUM, served
from made_edition import START
from planned_house import planned_house

from api.app import create_app
from ingest.points import point, to_ns

pytestmark = [pytest.mark.peer, NEEDS_CHROMIUM]
NOW = START + timedelta(hours=5, minutes=7)


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    found = planned_house(tmp_path_factory.mktemp("house"), NOW)
    for k in range(12):
        at = to_ns(NOW - timedelta(minutes=12 - k))
        for lang in ("en", "fr"):
            tags = {"site": "dakhla", "asset": f"chiller-{lang}"}
            found.intake.accept([point("chiller", tags, {"supply_c": 18.0 if k < 6 else 91.0}, at)])
    return found


@pytest.fixture(scope="module")
def address(doors):
    with served(create_app(doors)) as url:
        yield url


@pytest.mark.parametrize(
    ("lang", "told", "button", "done"),
    [
        ("en", "readings are held back", "Release", "released by"),
        ("fr", "mesures sont écartées", "Rétablir", "rétablie"),
    ],
)
def test_an_operator_finds_a_held_back_series_and_releases_it(opened, address, doors, lang, told, button, done):
    page, watch = opened(f"/?lang={lang}", java_script_enabled=False)
    page.locator(".status a").click()
    assert told in page.locator("main").inner_text()
    page.locator("#held a", has_text=f"chiller-{lang}").click()
    assert page.locator("#values tbody tr").count() == 6
    page.fill("#why", "read at the pipe: right")
    page.fill("#key", doors.keys.new("write", "operator", "test"))
    page.get_by_role("button", name=button, exact=True).click()
    assert page.locator("[role=alert]").is_visible(), "releasing takes more than writing"
    page.fill("#why", "read at the pipe: right")
    page.fill("#key", doors.keys.new("admin", "operator", "test"))
    page.get_by_role("button", name=button, exact=True).click()
    assert page.locator("html").get_attribute("lang") == lang
    assert page.locator("#values tbody tr", has_text=done).count() == 6
    assert page.locator("#release").count() == 0, "what is released cannot be released again"
    assert all(url.startswith(address) for url in watch.requests)
    assert [text for text in watch.complaints if "403" not in text] == []  # the narrow key's answer, which was wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/quarantine?lang=en", "/quarantine/series?lang=fr&metric=chiller.supply_c&tag=asset%3Dchiller-fr"]
)
def test_texts_stand_out_and_a_phone_scrolls_no_page(opened, scheme, path):
    page, _ = opened(path, color_scheme=scheme)
    weakest = page.evaluate(CONTRAST)
    assert weakest["ratio"] >= 4.5, weakest
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    unnamed = "nodes => nodes.filter(node => !node.labels.length).length"
    assert page.locator("input:not([type=hidden])").evaluate_all(unnamed) == 0, "every field has its label"
