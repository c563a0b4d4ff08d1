"""The year's exports: by the meter, by the plans where nobody metered, over restarts, late meters and New Year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.export_counter import Exports, counted, followed_exports
from ingest.errors import StoreUnavailable
from ingest.intake import Intake
from ingest.points import point, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.horizon import rfc3339, use_packaged_time_zones

use_packaged_time_zones()
SITE = read_site(sample_path("local")).model_copy(update={"timezone": "Etc/GMT-1"})  # an hour ahead of UTC
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STEP = timedelta(minutes=15)


def edition(start: datetime, exported: list[float]) -> dict[str, Any]:
    horizon = {"start": rfc3339(start), "step_minutes": 15, "slots": len(exported)}
    return {"problem": {"horizon": horizon}, "plan": {"series": {"export_mw": exported}}}


def metered(*rows: tuple[datetime, float]) -> MemoryStore:
    store = MemoryStore()
    here = {"site": SITE.name}
    store.write([point("site", here, {"export_mw": mw}, to_ns(at)) for at, mw in rows], START)
    return store


def test_a_counter_begins_with_what_the_site_file_assumes() -> None:
    budgets = SITE.budgets.model_copy(update={"exported_assumed_mwh": 40.0})
    found = followed_exports(SITE.model_copy(update={"budgets": budgets}), None, None, START)
    assert counted(SITE, MemoryStore(), found)[1] == 40.0


def test_slots_that_passed_count_as_planned_and_none_twice() -> None:
    told = edition(START, [0.4, 0.8, 0.0, 0.4])
    counter, total = Exports(10.0, START, STEP), 0.0
    for k in range(1, 5):
        kept = {"exports": counter.to_json()}
        counter, total, _ = counted(SITE, MemoryStore(), followed_exports(SITE, kept, told, START + k * STEP))
    assert total == pytest.approx(10.0 + 0.25 * 1.6)
    again, same, _ = counted(
        SITE, MemoryStore(), followed_exports(SITE, {"exports": counter.to_json()}, told, START + 4 * STEP)
    )
    assert (again, same) == (counter, total)


def test_the_meter_wins_also_where_it_speaks_late() -> None:
    told = edition(START, [0.4, 0.4])
    kept = {"exports": Exports(10.0, START, STEP).to_json()}
    counter, silent, _ = counted(SITE, MemoryStore(), followed_exports(SITE, kept, told, START + 2 * STEP))
    assert silent == pytest.approx(10.2)
    # an hour later the collector's spool arrives: the first slot gave 1.2 MW
    later = followed_exports(SITE, {"exports": counter.to_json()}, None, START + 6 * STEP)
    _, total, how = counted(SITE, metered((START + timedelta(minutes=3), 1.2)), later)
    assert total == pytest.approx(10.0 + 0.25 * 1.2 + 0.25 * 0.4)
    assert "the last 6 slots, 1 of them as metered" in how


def test_what_the_gate_does_not_believe_is_counted_as_planned() -> None:
    store, later = MemoryStore(), START + 2 * STEP
    for k, mw in enumerate((1.2, -3.0)):
        at = to_ns(START + k * STEP + timedelta(minutes=3))
        Intake(store, Fixed()).accept([point("site", {"site": SITE.name}, {"export_mw": mw}, at)])
    kept = {"exports": Exports(10.0, START, STEP).to_json()}
    _, total, how = counted(SITE, store, followed_exports(SITE, kept, edition(START, [0.4, 0.4]), later))
    assert total == pytest.approx(10.0 + 0.25 * 1.2 + 0.25 * 0.4)
    assert "the last 2 slots, 1 of them as metered" in how


class Fixed:
    """A clock that stands."""

    def now(self) -> datetime:
        return START + 2 * STEP


def test_what_happened_while_the_service_was_down_is_metered() -> None:
    kept = {"exports": Exports(10.0, START, STEP).to_json()}
    found = followed_exports(SITE, kept, edition(START, [0.4]), START + 4 * STEP)
    rows = [(START + k * STEP, 2.0) for k in range(1, 4)]
    assert counted(SITE, metered(*rows), found)[1] == pytest.approx(10.0 + 0.1 + 1.5)


def test_after_two_days_a_slot_is_settled() -> None:
    days = edition(START, [0.4] * 300)
    found = followed_exports(SITE, {"exports": Exports(0.0, START, STEP).to_json()}, days, START + 300 * STEP)
    kept, total, _ = counted(SITE, MemoryStore(), found)
    assert total == pytest.approx(30.0)
    assert kept.since == START + 108 * STEP
    assert kept.settled_mwh == pytest.approx(10.8)
    assert len(kept.planned_mwh) == 192
    assert Exports.from_json(kept.to_json()) == kept


def test_a_year_of_the_site_s_clock_begins_anew() -> None:
    # 23:00 UTC is midnight there
    eve = datetime(2026, 12, 31, 22, 30, tzinfo=UTC)
    told = edition(eve, [0.4] * 4)
    kept = {"exports": Exports(90.0, eve, STEP).to_json()}
    before = counted(SITE, MemoryStore(), followed_exports(SITE, kept, told, eve + STEP))
    assert before[1] == pytest.approx(90.1)
    counter, total, _ = counted(SITE, MemoryStore(), followed_exports(SITE, kept, told, eve + 3 * STEP))
    assert total == pytest.approx(0.1)
    assert counter.since == eve + 2 * STEP
    assert counted(SITE, MemoryStore(), followed_exports(SITE, kept, told, eve + 2 * STEP))[1] == 0.0


def test_slots_of_another_length_are_settled_and_counted_on() -> None:
    half = SITE.planning.model_copy(update={"step_minutes": 30})
    kept = {"exports": Exports(5.0, START, STEP, (0.1, 0.1)).to_json()}
    found = followed_exports(SITE.model_copy(update={"planning": half}), kept, None, START + 2 * STEP)
    assert found == Exports(pytest.approx(5.2), START + 2 * STEP, timedelta(minutes=30))  # type: ignore[arg-type]


def test_a_store_that_is_away_leaves_the_plans_word() -> None:
    class Away(MemoryStore):
        def query(self, *_: Any, **__: Any) -> Any:
            raise StoreUnavailable("telemetry", "closed")

    found = Exports(1.0, START, STEP, (0.5,))
    assert counted(SITE, Away(), found)[1] == 1.5
