"""A published plan lies in the telemetry store beside what is measured, with its id and the time of its making."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.write_back import as_points, write_back
from ingest.catalogue import METRICS
from ingest.errors import StoreUnavailable
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.memory import MemoryStore

START = datetime(2026, 11, 25, 6, tzinfo=UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)


@pytest.fixture
def published(edition: dict[str, Any]) -> dict[str, Any]:
    told = copy.deepcopy(edition)
    told |= {"plan_id": "pln_1", "created_at": "2026-11-25T05:50:00Z"}
    told["bands"] = {"pv_available_mw": {"p10": [0.0] * 4, "p50": [0.1] * 4, "p90": [0.2] * 4}}
    told["problem"]["series"]["dry_bulb_c"] = [20.0, 21.0, 22.0, 23.0]
    told["plan"]["series"] |= {"charge_mw": {"b1": [0.5, 0.0, 0.0, 0.0]}, "soc_mwh": {"b1": [1.0, 2.0, 3.0, 4.0]}}
    return told


def later(published: dict[str, Any]) -> dict[str, Any]:
    told = copy.deepcopy(published) | {"plan_id": "pln_2", "created_at": "2026-11-25T06:05:00Z"}
    told["plan"]["series"]["import_mw"] = [0.01, 0.05, 0.02, 0.02]
    return told


def test_each_slot_says_whose_plan_it_holds_and_what_was_planned_before(
    published: dict[str, Any], tmp_path: Any
) -> None:
    store = EmbeddedStore(tmp_path / "t.sqlite")
    write_back(store, published)
    write_back(store, later(published))
    asked = ("plan.import_mw", {"site": "local"}, START, START + HOUR, QUARTER)
    assert store.query(*asked).values.tolist() == [0.01, 0.05, 0.02, 0.02]
    assert store.query(*asked, as_of=START).values.tolist() == [0.01, 0.01, 0.02, 0.02]
    ids = store.raw("plan.plan_id", {}, START, START + QUARTER)
    assert [(dict(s.tags), s.value) for s in ids] == [
        ({"asset": "b1", "site": "local"}, "pln_2"),
        ({"site": "local"}, "pln_2"),
    ]
    then = store.raw("plan.plan_id", {"site": "local"}, START, START + QUARTER, START)
    assert {s.value for s in then} == {"pln_1"}
    store.close()


def test_forecasts_stand_beside_it_by_quantile_and_a_battery_at_the_ends_of_slots(published: dict[str, Any]) -> None:
    store = MemoryStore()
    write_back(store, published)
    high = store.query("forecast.pv_available_mw", {"quantile": "p90"}, START, START + HOUR, QUARTER)
    assert (high.values.tolist(), high.unit) == ([0.2] * 4, "MW")
    assert store.query("forecast.dry_bulb_c", {}, START, START + HOUR, HOUR).values.tolist() == [21.5]
    stored = store.raw("plan.soc_mwh", {"asset": "b1"}, START, START + 2 * HOUR)
    assert [((s.time_ns // 10**9) % 3600 // 900, s.value) for s in stored] == [(1, 1.0), (2, 2.0), (3, 3.0), (0, 4.0)]


def test_what_a_service_was_expected_to_ask_for_stands_beside_what_it_is_given(published: dict[str, Any]) -> None:
    published["problem"]["inference"] = [{"name": "chat", "power_mw": [0.3, 0.3, 0.4, 0.4]}]
    published["plan"]["series"]["inference_mw"] = {"chat": [0.3, 0.2, 0.4, 0.4]}
    published["bands"]["inference_mw/chat"] = {"p10": [0.2] * 4, "p50": [0.3] * 4, "p90": [0.5] * 4}
    store = MemoryStore()
    write_back(store, published)
    asked = {"asset": "chat"}, START, START + HOUR, QUARTER
    assert store.query("plan.inference_asked_mw", *asked).values.tolist() == [0.3, 0.3, 0.4, 0.4]
    assert store.query("plan.inference_mw", *asked).values.tolist() == [0.3, 0.2, 0.4, 0.4]
    high = {"asset": "chat", "quantile": "p90"}
    assert store.query("forecast.inference_mw", high, START, START + HOUR, QUARTER).values.tolist() == [0.5] * 4
    written = {f"{p.measurement}.{name}" for p in as_points(published) for name, v in p.fields if isinstance(v, float)}
    assert written - METRICS.keys() == set()


def test_where_there_is_no_plan_the_forecasts_are_kept(published: dict[str, Any]) -> None:
    published["plan"]["series"] = None
    assert {point.measurement for point in as_points(published)} == {"forecast"}


def test_every_number_has_its_place_in_the_catalogue(published: dict[str, Any]) -> None:
    written = {f"{p.measurement}.{name}" for p in as_points(published) for name, v in p.fields if isinstance(v, float)}
    assert written - METRICS.keys() == set()


def test_a_store_that_is_away_costs_no_plan(published: dict[str, Any]) -> None:
    class Away(MemoryStore):
        def write(self, *_: Any) -> Any:
            raise StoreUnavailable("away", "it is away")

    write_back(Away(), published)


@pytest.mark.peer
def test_a_dashboard_finds_plans_in_a_real_influxdb_by_the_queries_of_the_guide(
    published: dict[str, Any], tmp_path: Any
) -> None:
    from influxd import influxd, influxql

    from ingest.stores.influx import InfluxStore

    with influxd(tmp_path) as found:
        if found is None:
            pytest.skip("NO influxd HERE: `make test-peers` installs it")
        url, port = found
        influxql(port, "CREATE DATABASE t")
        store = InfluxStore(url, "t/autogen")
        write_back(store, published)
        write_back(store, later(published))
        store.close()

        def asked(what: str, measurement: str, group: str) -> list[dict[str, Any]]:
            when = "time >= '2026-11-25T06:00:00Z' AND time < '2026-11-25T07:00:00Z' AND asset = ''"
            query = f"SELECT {what} FROM t.autogen.{measurement} WHERE {when} GROUP BY {group}"
            rows: list[dict[str, Any]] = json.loads(influxql(port, query))["results"][0]["series"]
            return rows

        [planned] = asked("mean(import_mw)", "plan", "time(15m)")
        assert [row[1] for row in planned["values"]] == [0.01, 0.05, 0.02, 0.02]
        [named] = asked("last(plan_id)", "plan", "time(15m)")
        assert {row[1] for row in named["values"]} == {"pln_2"}
        believed = {row["tags"]["believed_at"]: row for row in asked("import_mw", "plan_beliefs", "believed_at")}
        assert [row[1] for row in believed["2026-11-25T05:50:00Z"]["values"]] == [0.01, 0.01, 0.02, 0.02]
        assert len(believed) == 2
