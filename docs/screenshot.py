"""Takes docs/images/day.png from a real run: `make screenshot`.

Starts the service as a newcomer would (`chergui run` on a sample site, a data directory of its own), waits
until a plan is published and its charts are interactive, and photographs the top of the page in Chromium.

    python -m docs.screenshot [--site data/sites/dakhla.toml] [--now 2026-06-21T06:00:00Z] [--out docs/images/day.png]
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from tests.support.in_browser import ARGUMENTS, CHROMIUM

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port of loopback that nobody holds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


GOOD_GAP = 0.05
"""The service plans again at once after a first plan with a wider gap; the picture shows the one after."""

HEIGHT_PX = 2600


def wait_for_plan(address: str, service: subprocess.Popen[bytes], limit_s: float) -> None:
    """Return once the page shows a plan that the service is content with, or a second one.

    Raises:
        RuntimeError: the service ended, or there is no plan within ``limit_s``.
    """
    until = time.monotonic() + limit_s
    seen: set[str] = set()
    while time.monotonic() < until:
        if service.poll() is not None:
            raise RuntimeError(f"the service ended with exit status {service.returncode}")
        try:
            answer = httpx.get(f"{address}/day.json", timeout=5)
            if answer.status_code == 200:
                day = answer.json()
                seen.add(day["plan_id"])
                if len(seen) > 1 or (day["gap"] is not None and day["gap"] <= GOOD_GAP):
                    return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.5)
    raise RuntimeError(f"no plan within {limit_s:g} s")


def shoot(address: str, out: Path, width: int, language: str) -> None:
    """Photograph the top of the page once its charts are interactive."""
    if CHROMIUM is None:
        raise RuntimeError("there is no Chromium; tests/peers/install.sh installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": HEIGHT_PX})
        page.goto(f"{address}/?lang={language}")
        page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=60_000)
        out.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=out)
        browser.close()


def main() -> None:
    """Run, wait, photograph, stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=ROOT / "data" / "sites" / "dakhla.toml")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "day.png")
    parser.add_argument("--now", help="RFC 3339 instant at which the service's clock starts")
    parser.add_argument("--language", default="en")
    parser.add_argument("--width", type=int, default=1400)
    parser.add_argument("--wait", type=float, default=180.0, help="seconds until a plan must be there")
    asked = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="chergui-shot-") as folder:
        command = [sys.executable, "-c", "from api.cli import main; main()", "run"]
        command += ["--site", str(asked.site.resolve()), "--data-dir", folder, "--port", str(port)]
        command += ["--now", asked.now] if asked.now else []
        service = subprocess.Popen(command, cwd=ROOT)  # noqa: S603  our own command
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for_plan(address, service, asked.wait)
            shoot(address, asked.out, asked.width, asked.language)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)
    print(f"{asked.out}: {asked.out.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
