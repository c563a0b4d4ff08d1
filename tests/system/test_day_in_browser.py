"""The real service in a real Chromium: a job that was just handed in stands in the Gantt chart and in its table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.horizon import rfc3339
from tests.support.running_service import running, small_site

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
JOB = "browser-llm-7"


@pytest.mark.peer
@pytest.mark.timeout(280)
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium at /usr/bin; tests/peers/install.sh installs it")
def test_a_new_job_stands_in_the_chart_and_in_the_table(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with running(tmp_path / "data", site=str(small_site(tmp_path))) as service:
        job = {"id": JOB, "pool": "hall", "gpus": 16, "work_h": 3.0, "release": rfc3339(datetime.now(UTC))}
        assert service.ask("POST", "/api/v1/jobs", {**job, "priority": "high"}).status == 201

        def planned() -> bool:
            answer = service.get("/api/v1/plans/current")
            return answer.status == 200 and any(j["id"] == JOB and j["runs"] for j in answer.json()["plan"]["jobs"])

        service.wait_for(planned, 120, "a plan with the job")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            )
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            asked: list[str] = []
            complaints: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(f"{service.url}/?lang=en")
            chart = page.locator("figure#gantt")
            assert chart.locator("svg").first.is_visible()
            assert JOB in chart.locator("svg").first.inner_html()
            table = page.locator("#table-gantt")
            table.locator("summary").click()
            assert table.get_by_text(JOB, exact=True).first.is_visible()
            browser.close()
        assert all(url.startswith((service.url, "data:")) for url in asked), "no request leaves the host"
        assert complaints == []
