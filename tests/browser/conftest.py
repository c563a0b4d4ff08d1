"""One Chromium for all pages, and pages of it that are closed in the end."""

import pytest
from in_browser import ARGUMENTS, CHROMIUM, Watch


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def opened(browser, address):
    pages = []

    def open_page(path="/?lang=en", **context):
        page = browser.new_context(viewport={"width": 1400, "height": 900}, **context).new_page()
        pages.append(page)
        watch = Watch(page)
        page.goto(address + path)
        return page, watch

    yield open_page
    for page in pages:
        page.context.close()
