"""Serve one planned day on the operator's page, without a planner that would replace it."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import uvicorn

from api.app import create_app
from api.desk import drawn
from api.gathering import first_memory
from api.pages import bundle
from api.planner import Task, cycle
from api.settings import Settings
from api.store.migrate import upgrade
from api.wiring import doors_for, engine_of
from ingest.site_file import find_site
from models.jobs import TrainingJob
from models.site import Site


def serve(site: Site, sample: str, jobs: list[TrainingJob], start: datetime, time_limit_s: float, port: int) -> None:
    """Plan as the service does (referee and yardstick included), publish with charts, serve until interrupted.

    ``site`` may differ from the file of ``sample``, whose pools and modes the doors know.
    """
    outcome = cycle(Task(site, jobs, first_memory(site, start), None, time_limit_s), start)
    with tempfile.TemporaryDirectory(prefix="chergui-day-") as folder:
        settings = Settings(find_site(sample), Path(folder), port=port)
        bundle.build(settings.data_dir / "charts")
        engine = engine_of(settings)
        upgrade(engine)
        doors = doors_for(settings, engine)
        edition = {**outcome.edition, "site": doors.site.name}
        doors.plans.publish({**edition, "charts": drawn(edition)}, {})
        saving, plan = edition["saving"], edition["plan"]
        gap = "not known yet" if plan["gap"] is None else f"{plan['gap']:.2%}"
        share = "not stated" if saving is None else f"{saving['saving_ratio']:.1%}"
        print(f"gap {gap}, saving {share} of the objective; served at http://127.0.0.1:{port}", flush=True)
        uvicorn.run(create_app(doors), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
