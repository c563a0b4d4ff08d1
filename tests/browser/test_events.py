"""Load targets in a real Chromium: asked, answered, accepted with a key and on record, without any script."""

from datetime import timedelta

import pytest
from in_browser import CONTRAST, NEEDS_CHROMIUM, served
from made_edition import START
from planned_house import planned_house

from api.app import create_app
from api.events import GridEvent
from ingest.points import point, to_ns

pytestmark = [pytest.mark.peer, NEEDS_CHROMIUM]
NOW = START + timedelta(hours=5, minutes=7)
PAST = GridEvent(id="past", start=NOW - timedelta(hours=3), end=NOW - timedelta(hours=2), most_import_mw=5.0)


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    found = planned_house(tmp_path_factory.mktemp("house"), NOW)
    found.events.accept(PAST, {"feasible": True, "method": "plan in force"}, None, "test")
    told = [(PAST.start + timedelta(minutes=m), 4.0 + m / 30) for m in range(1, 60, 5)]
    found.telemetry.write([point("site", {"site": "dakhla"}, {"import_mw": mw}, to_ns(at)) for at, mw in told])
    return found


@pytest.fixture(scope="module")
def key(doors):
    return doors.keys.new("write", "operator", "test")


@pytest.fixture(scope="module")
def address(doors):
    with served(create_app(doors)) as url:
        yield url


@pytest.mark.parametrize(
    ("lang", "ask", "can", "accept", "later"),
    [
        ("en", "Ask", "It can be kept.", "Accept", "to come"),
        ("fr", "Demander", "Il peut être tenu.", "Accepter", "à venir"),
    ],
)
def test_an_operator_asks_accepts_and_takes_back_in_both_languages(opened, address, key, lang, ask, can, accept, later):
    page, watch = opened(f"/?lang={lang}", java_script_enabled=False)
    page.locator(".ways a").first.click()
    page.fill("#id", f"peak-{lang}")
    page.fill("#start", f"{NOW + timedelta(hours=3):%Y-%m-%dT%H:00}")
    page.fill("#end", f"{NOW + timedelta(hours=4):%Y-%m-%dT%H:00}")
    page.fill("#most_import_mw", "9.5")
    page.get_by_role("button", name=ask, exact=True).click()
    assert can in page.locator("#answer").inner_text()
    assert page.locator("#id").input_value() == f"peak-{lang}"
    page.fill("#key", "chergui_wrong")
    page.get_by_role("button", name=accept, exact=True).click()
    assert page.locator("#answer [role=alert]").is_visible()
    page.get_by_role("button", name=ask, exact=True).click()
    page.fill("#key", key)
    page.get_by_role("button", name=accept, exact=True).click()
    assert page.url.startswith(f"{address}/events/peak-{lang}")
    assert page.locator("html").get_attribute("lang") == lang
    page.locator(".ways a").last.click()
    row = page.locator("#events tbody tr", has_text=f"peak-{lang}")
    assert later in row.inner_text()
    row.locator("a").click()
    page.fill("#key", key)
    page.locator("form button").click()
    assert page.locator("#key").count() == 0, "what is taken back cannot be taken back again"
    assert all(url.startswith(address) for url in watch.requests)
    refusals = [text for text in watch.complaints if "401" not in text]  # the wrong key's answer, which was wanted
    assert refusals == []


def test_the_record_shows_limit_meter_and_verdict(opened):
    page, watch = opened("/events/past?lang=en")
    told = page.locator("#record").inner_text()
    assert "Not kept." in told
    assert page.locator("#record tbody tr").count() == 5, "from the quarter hour that it began in"
    assert page.locator("#record svg path").count() == 3
    assert watch.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/events?lang=en&id=x", "/events/past?lang=fr"])
def test_texts_stand_out_and_a_phone_scrolls_no_page(opened, scheme, path):
    page, _ = opened(path, color_scheme=scheme)
    weakest = page.evaluate(CONTRAST)
    assert weakest["ratio"] >= 4.5, weakest
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    unnamed = "nodes => nodes.filter(node => !node.labels.length).length"
    assert page.locator("input:not([type=hidden]), select").evaluate_all(unnamed) == 0, "every field has its label"
