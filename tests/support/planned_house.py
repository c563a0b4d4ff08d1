"""A service's doors without its processes: the Dakhla sample at an instant, with the made edition as its plan."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from made_edition import made_edition

from api.doors import Doors
from api.settings import Settings
from api.store.migrate import upgrade
from api.wiring import doors_for, engine_of
from ingest.site_file import sample_path
from models.horizon import use_packaged_time_zones


def planned_house(folder: Path, now: datetime) -> Doors:
    """Doors on an empty folder, whose clock says ``now``."""
    use_packaged_time_zones()
    settings = Settings(sample_path("dakhla"), folder, shift_s=(now - datetime.now(UTC)).total_seconds())
    settings.run_dir.mkdir()
    engine = engine_of(settings)
    upgrade(engine)
    doors = doors_for(settings, engine)
    doors.plans.publish(made_edition(), {})
    return doors
