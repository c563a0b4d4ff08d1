"""What a site file asks of version 1.1, composed; and what a plan leaves for the next round."""

from __future__ import annotations

import functools
import tomllib
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from plan_here import plan_here

from ingest.site_file import SAMPLES, resolved_site, sample_path
from models.errors import InvalidInput
from models.horizon import Horizon, parse_rfc3339, use_packaged_time_zones
from models.site import Site
from optimizer.carried import carried
from optimizer.compose import Availability, assumed_state, compose
from optimizer.compose_asks import with_asks
from optimizer.document import Plan
from optimizer.refusals import check_problem
from optimizer.replay import Previous

use_packaged_time_zones()
START = "2026-12-01T00:15:00Z"
SPAN = {"start": "2026-12-01T02:10:00Z", "end": "2026-12-01T03:05:00Z"}
ASKS: dict[str, Any] = {
    "generators": [{"name": "set", "power_mw": 0.1, "fuel_cost_per_mwh": 90.0, "min_up_h": 0.5}],
    "services": [{"name": "chat", "mean_mw": 0.02, "min_share": 0.5, "below_nominal_cost_per_mwh": 900.0}],
    "budgets": {"carbon_budget_kg": 9e5, "renewable_share": 0.1, "below_renewable_share_cost_per_mwh": 1.0},
}
GRID: dict[str, Any] = {
    "billing_minutes": 60.0,
    "outages": [SPAN],
    "targets": [{"id": "dr", **SPAN, "most_import_mw": 0.2, "cost_per_mwh": 10.0}],
    "promises": [{"id": "h", **SPAN, "import_mw": 0.0, "over_cost_per_mwh": 1.0, "under_cost_per_mwh": 1.0}],
}
COOLING: dict[str, Any] = {
    "water": {"m3_per_mwh": 1.0, "price_per_m3": 2.0, "limit_m3_per_day": 50.0, "over_cost_per_m3": 3.0},
    "mass": {"mwh_per_k": 0.05, "assumed_c": 24.0, "lowest_c": 20.0, "allowable_c": 32.0, "most_change_k_per_h": 8.0},
}


def raw_site(name: str = "local") -> dict[str, Any]:
    return tomllib.loads(sample_path(name).read_text(encoding="utf-8"))


def site(**more: Any) -> Site:
    """The sample with all asks, over six hours."""
    raw = raw_site()
    raw |= ASKS | more
    raw["grid"] |= GRID
    raw["cooling"] |= COOLING
    raw["planning"] = {**raw.get("planning", {}), "horizon_h": 6.0, "step_minutes": 15}
    return resolved_site(raw)


def horizon(start: str = START) -> Horizon:
    return Horizon(parse_rfc3339(start), timedelta(minutes=15), 24)


def composed(of: Site, slots: Horizon | None = None, previous: Previous | None = None) -> dict[str, Any]:
    at = slots or horizon()
    still, mild = [0.0] * at.slots, np.full(at.slots, 20.0).tolist()
    day = compose(of, at, Availability(still, still, None, mild, mild), [], assumed_state(of), "day")
    return with_asks(day, of, at, carried(at, previous))


@functools.cache
def planned() -> Plan:
    """A plan of the day on which everything is asked."""
    return plan_here(check_problem(composed(site())), gap=0.05, time_limit_s=20.0)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_site_that_asks_nothing_is_composed_as_before(name: str) -> None:
    found, at = resolved_site(raw_site(name)), horizon()
    still, mild = [0.0] * at.slots, [20.0] * at.slots
    day = compose(found, at, Availability(still, still, None, mild, mild), [], assumed_state(found), "day")
    assert with_asks(day, found, at) == day
    assert day["schema_version"] == "1.0"


def test_everything_that_is_asked_is_a_document_that_the_contract_takes_and_that_has_a_plan() -> None:
    raw = composed(site())
    check_problem(raw)
    assert raw["schema_version"] == "1.1"
    # widened to whole slots: from 02:00 to 03:15
    span = {"start": "2026-12-01T02:00:00Z", "end": "2026-12-01T03:15:00Z"}
    grid = raw["grid"]
    assert grid["outages"] == [span]
    # a quarter past midnight: one of four slots of the billing hour is behind
    assert (grid["billing_interval_slots"], grid["billing_elapsed_slots"]) == (4, 1)
    assert raw["events"][0] == {"id": "dr", **span, "most_import_mw": 0.2, "cost_per_mwh": 10.0}
    assert raw["nominations"][0]["start"] == span["start"]
    assert raw["generators"][0]["min_up_slots"] == 2
    assert raw["inference"][0]["min_power_mw"][0] == pytest.approx(raw["inference"][0]["power_mw"][0] / 2)
    assert raw["cooling"]["mass"]["most_change_k_per_slot"] == pytest.approx(2.0)
    assert next(limit["id"] for limit in raw["cooling"]["water_limits"]) == "2026-12-01"
    assert planned().series is not None


def test_what_touches_no_slot_is_left_out() -> None:
    raw = composed(site(), horizon("2026-12-01T06:00:00Z"))
    assert "events" not in raw
    assert "nominations" not in raw
    assert "outages" not in raw["grid"]


def test_the_next_round_starts_from_what_the_plan_left() -> None:
    of = site()
    raw = composed(of)
    plan = planned()
    assert plan.series is not None
    before = Previous(plan, parse_rfc3339(START), None, raw)
    later = horizon("2026-12-01T01:30:00Z")  # five slots on: three end the hour, two are in the next
    next_raw = composed(of, later, before)
    check_problem(next_raw)
    assert next_raw["grid"]["billing_elapsed_slots"] == 2
    assert next_raw["grid"]["billing_elapsed_mwh"] == pytest.approx(0.25 * sum(plan.series.import_mw[3:5]))
    assert plan.series.temperature_c is not None
    assert next_raw["cooling"]["mass"]["start_c"] == pytest.approx(plan.series.temperature_c[4])
    assert plan.series.heat_removed_mw is not None
    water = next_raw["cooling"]["water_limits"][0]["so_far_m3"]
    assert water == pytest.approx(0.25 * sum(plan.series.heat_removed_mw[:5]))
    on = plan.series.generator_on["set"][:5]
    told = next_raw["generators"][0]
    assert told["on_before"] == bool(on[4])
    # the promise began at 02:00: at 02:30 two of its slots are behind
    half = composed(of, horizon("2026-12-01T02:30:00Z"), before)["nominations"][0]
    net = [a - b for a, b in zip(plan.series.import_mw, plan.series.export_mw, strict=True)]
    assert half.get("elapsed_mwh", 0.0) == pytest.approx(0.25 * sum(net[7:9]), abs=1e-8)


def test_a_generator_s_run_is_counted_over_rounds() -> None:
    of, raw = site(), composed(site())
    plan = planned()
    assert plan.series is not None
    on = plan.series.model_copy(update={"generator_on": {"set": [0, 0, 1, 1, 1, *[0] * 19]}})
    before = Previous(plan.model_copy(update={"series": on}), parse_rfc3339(START), None, raw)
    told = composed(of, horizon("2026-12-01T01:15:00Z"), before)["generators"][0]
    assert (told["on_before"], told["state_slots"]) == (True, 2)
    told = composed(of, horizon("2026-12-01T02:00:00Z"), before)["generators"][0]
    assert (told["on_before"], told["state_slots"]) == (False, 2)


def test_a_priced_reserve_is_a_wish_above_the_minimum() -> None:
    raw = raw_site("dakhla")
    raw["batteries"][0] |= {"reserve_mwh": 2.0, "reserve_cost_per_mwh_h": 7.0, "end_value_per_mwh": 30.0}
    raw["batteries"][0]["soc_min_mwh"] = 1.0
    of, at = resolved_site(raw), horizon()
    still, mild = [0.0] * at.slots, [20.0] * at.slots
    day = compose(of, at, Availability(still, still, None, mild, mild), [], assumed_state(of), "day")
    told = with_asks(day, of, at)["batteries"][0]
    assert (told["reserve_mwh"], told["below_reserve_cost_per_mwh_h"], told["soc_min_mwh"]) == (2.0, 7.0, 1.0)
    assert told["soc_end_value_per_mwh"] == 30.0
    assert day["batteries"][0]["soc_min_mwh"] == 3.0


@pytest.mark.parametrize(
    ("change", "place", "word"),
    [
        (
            {"generators": [{"name": "set", "power_mw": 1.0, "min_power_mw": 2.0}]},
            "generators[0].min_power_mw",
            "lower",
        ),
        ({"generators": [{"name": "set", "powr_mw": 1.0}]}, "generators[0].powr_mw", "power_mw"),
        ({"services": [ASKS["services"][0] | {"by_hour": [1.0]}]}, "services[0].by_hour", "24"),
        ({"services": [ASKS["services"][0] | {"name": "set"}]}, "services[0].name", "set"),
        ({"budgets": {"renewable_share": 1.5}}, "budgets.renewable_share", "1"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(change: dict[str, Any], place: str, word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        site(**change)
    assert word in " ".join(f.message for f in refused.value.faults if f.pointer == place), refused.value.faults


@pytest.mark.parametrize(
    ("section", "row", "place"),
    [
        ("targets", {"id": "x", **SPAN}, "grid.targets[0]"),
        ("outages", {"start": SPAN["end"], "end": SPAN["start"]}, "grid.outages[0].end"),
        ("outages", {"start": "2026-12-01T02:10:00", "end": SPAN["end"]}, "grid.outages[0].start"),
    ],
)
def test_bad_spans_and_targets_are_refused(section: str, row: dict[str, Any], place: str) -> None:
    raw = raw_site()
    raw["grid"][section] = [row]
    with pytest.raises(InvalidInput) as refused:
        resolved_site(raw)
    assert place in {fault.pointer for fault in refused.value.faults}


def test_a_service_asks_for_what_its_meter_knows_and_may_draw_no_less_a_share_of_it() -> None:
    of, at = site(), horizon()
    still, mild = [0.0] * at.slots, np.full(at.slots, 20.0).tolist()
    day = compose(of, at, Availability(still, still, None, mild, mild), [], assumed_state(of), "day")
    known = [0.01 + 0.001 * k for k in range(at.slots)]
    told = with_asks(day, of, at, None, {"chat": known, "another": still})["inference"][0]
    assert told["power_mw"] == pytest.approx(known)
    assert told["min_power_mw"] == pytest.approx([0.5 * mw for mw in known])
    assert with_asks(day, of, at)["inference"][0]["power_mw"] == [0.02] * at.slots
