"""The web process starts without the heavy libraries, and the OpenAPI document is the committed one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from api.app import bare_app

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "numpy",
    "pandas",
    "pyomo",
    "sklearn",
    "scipy",
    "pvlib",
    "windpowerlib",
    "highspy",
    "vl_convert",
    "influxdb_client",
    "pyarrow",
    "alembic",
    "rich",
    "optimizer.rolling",
    "optimizer.verify",
)
_SCENE = """
import http.client, json, os, sys, threading
from pathlib import Path
from api import web
from api.settings import Settings
from api.supervisor import listen
from api.wiring import doors_for
from ingest.site_file import sample_path

settings = Settings(sample_path("local"), Path(sys.argv[1]))
listener = listen("127.0.0.1", 0)
key = {"Authorization": "Bearer " + doors_for(settings).keys.new("admin", "", "test")}

def scene():
    def ask(method, path, body=None):
        here = http.client.HTTPConnection(*listener.getsockname(), timeout=30)
        here.request(method, path, body, key)
        return here.getresponse().status
    asked = [ask("GET", path) for path in (
        "/", "/livez", "/readyz", "/healthz", "/metrics", "/version", "/openapi.json", "/api/v1/jobs",
        "/api/v1/plans/current", "/api/v1/caps/pools/hall", "/api/v1/caps/nodes/hall-n1", "/api/v1/setpoints/roof")]
    job = {"id": "a", "pool": "hall", "gpus": 8, "work_h": 1.0, "release": "2026-11-25T06:00:00Z"}
    asked += [ask("POST", "/api/v1/jobs", json.dumps(job)), ask("POST", "/api/v2/write", "gpu,gpu=a power_w=1"),
        ask("POST", "/api/v1/solve", "{}")]
    print(json.dumps([asked, sorted(m for m in heavy if m in sys.modules)]), flush=True)
    os._exit(0)

heavy = sys.argv[2].split(",")
threading.Thread(target=scene).start()
sys.argv[1:] = [settings.to_json(), str(listener.fileno()), str(os.getppid())]
web.main()
"""


def test_the_web_process_serves_without_the_heavy_libraries(tmp_path: Path) -> None:
    from api.store.engine import open_engine
    from api.store.migrate import upgrade

    (tmp_path / "run").mkdir()
    upgrade(open_engine(tmp_path / "state.db"))
    done = subprocess.run(
        [sys.executable, "-c", _SCENE, str(tmp_path), ",".join(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    asked, loaded = json.loads(done.stdout.splitlines()[-1])
    assert asked == [200, 200, 200, 503, 200, 200, 200, 200, 404, 200, 200, 200, 201, 204, 422]
    assert loaded == []


def test_the_openapi_document_is_the_committed_one() -> None:
    """After a change on purpose: python -m api.openapi docs/reference/openapi.json."""
    committed = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(bare_app().openapi()))


def test_every_operation_says_what_it_answers() -> None:
    document = bare_app().openapi()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            if path.startswith("/api/"):
                assert operation["security"] == [{"key": []}], (method, path)
                assert {"401", "403", "422"} <= set(operation["responses"]), (method, path)
    text = json.dumps(document)
    refs = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert refs <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in text
