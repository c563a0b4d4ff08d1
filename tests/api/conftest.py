"""A service in one process: real stores in a temporary folder, the sample site, an edition made by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.doors import Doors
from api.settings import Settings
from api.store.migrate import upgrade
from api.wiring import doors_for, engine_of
from ingest.site_file import sample_path
from models.horizon import use_packaged_time_zones

use_packaged_time_zones()
START = datetime(2026, 11, 25, 6, tzinfo=UTC)
HERE = "http://127.0.0.1:8000"


@dataclass
class House:
    """Doors, a client without a key, and keys by scope."""

    doors: Doors
    client: TestClient
    keys: dict[str, str]

    def get(self, path: str, scope: str = "read", **headers: str) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.keys[scope]}", **headers})

    def post(self, path: str, body: bytes | str, scope: str = "write", **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.keys[scope]}", **headers}
        return self.client.post(path, content=body, headers=headers)


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """A house with other settings."""
    opened: list[TestClient] = []

    def make(**changes: Any) -> House:
        shift = (START - datetime.now(UTC)).total_seconds() + 300
        site_path = changes.pop("site_path", sample_path("local"))
        settings = Settings(site_path, tmp_path, **{"shift_s": shift, **changes})
        settings.run_dir.mkdir(exist_ok=True)
        engine = engine_of(settings)
        upgrade(engine)
        doors = doors_for(settings, engine)
        keys = {scope: doors.keys.new(scope, scope, "test") for scope in ("read", "write", "admin")}  # type: ignore[arg-type]
        client = TestClient(create_app(doors), base_url=HERE, raise_server_exceptions=False)
        opened.append(client.__enter__())
        return House(doors, client, keys)

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """The usual one."""
    return make_house()


@pytest.fixture
def edition() -> dict[str, Any]:
    """A small plan of the sample site ``local``, made by hand: one job with two limits, PV curtailed in slot 1."""
    times = ["2026-11-25T06:00:00Z", "2026-11-25T06:15:00Z", "2026-11-25T06:30:00Z"]
    return {
        "site": "local",
        "valid_from": times[0],
        "valid_until": "2026-11-25T18:00:00Z",
        "problem": {
            "schema_version": "1.0",
            "name": "day",
            "site": {"name": "local", "timezone": "Africa/Casablanca", "currency": "MAD"},
            "horizon": {"start": times[0], "step_minutes": 15, "slots": 4},
            "series": {"pv_available_mw": [0.1, 0.1, 0.08, 0.0]},
            "grid": {"import_limit_mw": 0.16},
            "jobs": [{"id": "llm-7", "pool": "hall", "gpus": 8}, {"id": "bare", "pool": None, "gpus": 0}],
        },
        "plan": {
            "schema_version": "1.0",
            "name": "day",
            "problem_digest": "0" * 64,
            "status": "feasible",
            "rung": "MILP",
            "objective": 1.0,
            "bound": 1.0,
            "gap": 0.0,
            "solve_seconds": 0.5,
            "terms": {},
            "series": {
                "import_mw": [0.01, 0.01, 0.02, 0.02],
                "export_mw": [0.0, 0.0, 0.0, 0.0],
                "pv_used_mw": [0.1, 0.06, 0.08, 0.0],
            },
            "jobs": [
                {
                    "id": "llm-7",
                    "runs": [
                        {"start": times[0], "end": times[1], "power_mw": 0.006, "speed": 0.9, "limit_w": 500},
                        {"start": times[1], "end": times[2], "power_mw": 0.0061, "speed": 0.9, "limit_w": 500},
                        {
                            "start": times[2],
                            "end": "2026-11-25T07:00:00Z",
                            "power_mw": 7e-3,
                            "speed": 1,
                            "limit_w": 700,
                        },
                    ],
                    "work_done_h": 0.9,
                    "late_h": 0.0,
                    "unmet_h": 0.0,
                }
            ],
            "unmet": [],
        },
        "baseline": None,
        "baseline_note": "none was made",
        "saving": None,
        "sources": [],
        "bands": {},
        "temperatures": {},
        "limits": {},
        "job_labels": {},
        "charts": {},
    }


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the models of the sample site "dakhla", trained small on the 30 days before 1 June 2026."""
    from made_past import SMALL

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.forecast.learned.SERVICE", SMALL)
        from typer.testing import CliRunner

        from api.cli import app

        place = tmp_path_factory.mktemp("data")
        words = ["forecast", "train", "--data-dir", str(place), "--days", "30", "--now", "2026-06-01T06:20:00Z"]
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    place.joinpath("told.txt").write_text(done.output)
    return place
