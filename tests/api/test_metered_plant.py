"""What meters say of the plant when a round begins: the newest credible reading, its age, and what is planned else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import plant_site
import pytest

from api.metered_plant import metered_plant
from ingest.errors import StoreUnavailable
from ingest.points import point, to_ns
from ingest.stores.memory import MemoryStore
from models.horizon import use_packaged_time_zones

use_packaged_time_zones()
SITE = plant_site.site()
NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)


def kept(*rows: tuple[str, dict[str, str], float, float]) -> MemoryStore:
    store = MemoryStore()
    for metric, tags, value, minutes in rows:
        measurement, field = metric.split(".")
        at = to_ns(NOW - timedelta(minutes=minutes))
        store.write([point(measurement, {"site": SITE.name, **tags}, {field: value}, at)], NOW)
    return store


def test_each_figure_is_the_newest_reading_and_says_its_age() -> None:
    store = kept(
        ("mass.temperature_c", {"asset": "hall"}, 25.0, 9),
        ("mass.temperature_c", {"asset": "hall"}, 24.5, 3),
        ("cdu.supply_c", {"asset": "cdu-1"}, 31.0, 14),
        ("tank.stored_mwh", {"asset": "tank"}, 0.12, 1),
        ("pool.nodes_on", {"pool": "hall"}, 7.0, 2),
    )
    found, told = metered_plant(SITE, store, NOW, None)
    assert found == {"masses_c": {"hall": 24.5, "loop": 31.0}, "tank_mwh": 0.12, "nodes_on": {"hall": 7}}
    assert told == [
        "temperature of hall as metered 3 min ago",
        "temperature of loop as metered 14 min ago",
        "cold in the tank as metered 1 min ago",
        "nodes on in hall as metered 2 min ago",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("mass.temperature_c", {"asset": "hall"}, 24.5, 16.0)],  # too old
        [("mass.temperature_c", {"asset": "hall", "rack": "r1"}, 24.5, 3.0)],  # another series
    ],
)
@pytest.mark.parametrize(
    ("planned_at", "how"),
    [(None, "as the site file assumes"), (NOW - timedelta(minutes=90), "as planned 90 min ago")],
)
def test_what_no_fresh_reading_tells_is_as_planned(rows: list[Any], planned_at: datetime | None, how: str) -> None:
    found, told = metered_plant(SITE, kept(*rows), NOW, planned_at)
    assert found == {}
    assert set(told) == {
        f"{what} {how}"
        for what in ("temperature of hall", "temperature of loop", "cold in the tank", "nodes on in hall")
    }


def test_a_reading_beyond_its_limits_is_planned_from_the_limit_and_said() -> None:
    rows = [("mass.temperature_c", {"asset": "hall"}, 33.5, 3.0), ("pool.nodes_on", {"pool": "hall"}, 99.0, 2.0)]
    there = SITE.pool("hall").gpus // SITE.pool("hall").gpus_per_node
    found, told = metered_plant(SITE, kept(*rows), NOW, None)
    assert found == {"masses_c": {"hall": 32.0}, "nodes_on": {"hall": there}}
    assert told[0] == "temperature of hall as metered 3 min ago (33.5, planned from 32)"
    assert told[-1] == f"nodes on in hall as metered 2 min ago (99, planned from {there})"


def test_the_one_mass_has_a_meter_too() -> None:
    cooling = plant_site.raw()["cooling"]
    mass = {k: v for k, v in cooling["masses"][0].items() if k not in ("name", "heat_share")}
    del cooling["masses"]
    pools = [{k: v for k, v in row.items() if k != "heat_shares"} for row in plant_site.raw()["pools"]]
    site = plant_site.site(cooling=cooling | {"mass": mass}, pools=pools)
    found, _ = metered_plant(site, kept(("mass.temperature_c", {"asset": "mass"}, 23.0, 1)), NOW, None)
    assert found == {"temperature_c": 23.0}


def test_a_store_that_is_away_changes_nothing() -> None:
    class Away(MemoryStore):
        def raw(self, *_: Any, **__: Any) -> Any:
            raise StoreUnavailable("telemetry", "closed")

    assert metered_plant(SITE, Away(), NOW, None)[0] == {}
