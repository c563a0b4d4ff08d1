"""Bad input in fields of version 1.1: each gets its sentence, its place and its mend."""

from __future__ import annotations

from typing import Any

import pytest
from small_day import at, battery, day, job, planned, pool, ten

from models.errors import Fault, InvalidInput
from optimizer.refusals import check_problem

EVENT = {"id": "dr", "start": at(0), "end": at(2), "most_import_mw": 1.0}
PROMISE = {"id": "n", "start": at(0), "end": at(1), "import_mw": 1.0}
PROMISE |= {"over_cost_per_mwh": 1.0, "under_cost_per_mwh": 1.0}
SET = {"name": "set", "power_mw": 1.0}
CHAT = {"name": "chat", "power_mw": [1.0] * 4, "min_power_mw": 0.5, "below_nominal_cost_per_mwh": 9.0}
LIMIT = {"id": "d", "start": at(0), "end": at(2), "limit_m3": 1.0}
PLANT = {"tangents": [{"slope": 0.1, "intercept_mw": 0.0}]}
COOLED = PLANT | {"capacity_heat_mw": 2.0}
MASS = {"mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0, "allowable_c": 32.0}

LOOP = MASS | {"name": "loop", "heat_share": 0.5}
UNIT = {"name": "chiller", "capacity_heat_mw": 1.0}
FREE = {"bulb": "dry_bulb_c", "full_below_c": 10.0, "none_above_c": 20.0}
TANK = {"energy_mwh": 2.0, "fill_mw": 1.0, "draw_mw": 1.0, "start_mwh": 1.0}


def the_fault(**more: Any) -> Fault:
    with pytest.raises(InvalidInput) as refused:
        check_problem(day(**{"schema_version": "1.1", **more}))
    assert len(refused.value.faults) == 1, refused.value.faults
    return refused.value.faults[0]


OFF_BORDER = "2026-11-09T00:10:00Z"
BENT = [{"power_mw": p, "speed": s} for p, s in ((0.2, 0.2), (0.5, 0.3), (1.0, 1.0))]
BAD: list[tuple[dict[str, Any], str, str, str]] = [
    ({"events": [EVENT | {"end": at(0)}]}, "/events/0/end", "not_after_start", "move it"),
    ({"events": [EVENT | {"start": "2026-11-09T00:10:00Z"}]}, "/events/0/start", "off_border", "move it to a border"),
    ({"events": [{k: v for k, v in EVENT.items() if k != "most_import_mw"}]}, "/events/0", "no_target", "give one"),
    ({"events": [EVENT | {"least_import_mw": 2.0}]}, "/events/0/least_import_mw", "too_high", "lower it"),
    ({"events": [EVENT, EVENT]}, "/events/1/id", "duplicate", "give each its own"),
    ({"nominations": [PROMISE, PROMISE]}, "/nominations/1/id", "duplicate", "give each its own"),
    ({"nominations": [PROMISE | {"elapsed_mwh": 1.0}]}, "/nominations/0/elapsed_mwh", "nothing_elapsed", "write 0"),
    ({"grid": {"outages": [{"start": at(2), "end": at(1)}]}}, "/grid/outages/0/end", "not_after_start", "move it"),
    (
        {"grid": {"billing_interval_slots": 2, "billing_elapsed_slots": 2}},
        "/grid/billing_elapsed_slots",
        "too_high",
        "write fewer",
    ),
    (
        {"grid": {"billing_interval_slots": 2, "billing_elapsed_mwh": 1.0}},
        "/grid/billing_elapsed_mwh",
        "nothing_elapsed",
        "write 0",
    ),
    ({"batteries": [battery(reserve_mwh=2.5)]}, "/batteries/0/reserve_mwh", "too_high", "lower it"),
    ({"batteries": [battery(reserve_mwh=[0.1] * 3)]}, "/batteries/0/reserve_mwh", "wrong_length", "4 slots"),
    ({"batteries": [battery(reserve_mwh=-0.1)]}, "/batteries/0/reserve_mwh", "negative", "0 or more"),
    ({"reserve": {"drop_mw": [1.0, -1.0, 0.0, 0.0]}}, "/reserve/drop_mw/1", "negative", "0 or more"),
    ({"generators": [SET | {"min_power_mw": 2.0}]}, "/generators/0/min_power_mw", "too_high", "lower it"),
    ({"generators": [SET, SET]}, "/generators/1/name", "duplicate", "give each its own"),
    ({"generators": [SET | {"name": "store"}], "batteries": [battery()]}, "/generators/0/name", "duplicate", "its own"),
    ({"generators": [SET | {"power_mw": -1.0}]}, "/generators/0/power_mw", "greater_than_equal", "0"),
    (
        {"generators": [SET | {"fuel_cost_per_mwh": [1.0]}]},
        "/generators/0/fuel_cost_per_mwh",
        "wrong_length",
        "4 slots",
    ),
    ({"inference": [CHAT | {"min_power_mw": 1.5}]}, "/inference/0/min_power_mw", "too_high", "lower it"),
    ({"inference": [CHAT | {"power_mw": [1.0] * 5}]}, "/inference/0/power_mw", "wrong_length", "4 slots"),
    ({"cooling": PLANT | {"water_limits": [LIMIT, LIMIT]}}, "/cooling/water_limits/1/id", "duplicate", "its own"),
    ({"cooling": PLANT | {"water_m3_per_mwh": -1.0}}, "/cooling/water_m3_per_mwh", "negative", "0 or more"),
    ({"cooling": PLANT | {"mass": MASS}}, "/cooling/capacity_heat_mw", "missing", "give it"),
    (
        {"cooling": COOLED | {"mass": MASS | {"start_c": 33.0}}},
        "/cooling/mass/start_c",
        "outside_limits",
        "check the reading",
    ),
    (
        {"cooling": COOLED | {"mass": MASS | {"recommended_c": 40.0}}},
        "/cooling/mass/recommended_c",
        "outside_limits",
        "inside",
    ),
    ({"cooling": COOLED | {"mass": MASS | {"mwh_per_k": 0.0}}}, "/cooling/mass/mwh_per_k", "greater_than", "0"),
    (
        {"cooling": COOLED | {"mass": MASS | {"surroundings_c": [1.0]}}},
        "/cooling/mass/surroundings_c",
        "wrong_length",
        "4 slots",
    ),
    ({"cooling": PLANT | {"tank": TANK}}, "/cooling/capacity_heat_mw", "missing", "give it"),
    ({"cooling": COOLED | {"tank": TANK | {"start_mwh": 3.0}}}, "/cooling/tank/start_mwh", "too_high", "lower it"),
    ({"cooling": COOLED | {"tank": TANK | {"end_min_mwh": 3.0}}}, "/cooling/tank/end_min_mwh", "too_high", "lower it"),
    ({"cooling": COOLED | {"masses": [LOOP, LOOP]}}, "/cooling/masses/1/name", "duplicate", "its own"),
    (
        {"cooling": COOLED | {"masses": [LOOP, LOOP | {"name": "air", "heat_share": 0.6}]}},
        "/cooling/masses",
        "too_high",
        "1 in all",
    ),
    ({"cooling": COOLED | {"mass": MASS, "masses": [LOOP]}}, "/cooling/masses", "twice", "one of the two"),
    (
        {"cooling": COOLED | {"masses": [LOOP | {"end_most_c": 9.0}]}},
        "/cooling/masses/0/end_most_c",
        "outside_limits",
        "inside",
    ),
    (
        {"cooling": COOLED | {"masses": [LOOP | {"surroundings_c": [1.0]}]}},
        "/cooling/masses/0/surroundings_c",
        "wrong_length",
        "4 slots",
    ),
    ({"pools": [pool(heat_shares={"loop": 0.5})]}, "/pools/0/heat_shares/loop", "unknown_mass", "known: none"),
    (
        {"cooling": COOLED | {"masses": [LOOP]}, "pools": [pool(heat_shares={"lop": 0.5})]},
        "/pools/0/heat_shares/lop",
        "unknown_mass",
        "known: loop",
    ),
    (
        {"cooling": COOLED | {"masses": [LOOP, LOOP | {"name": "air"}]}}
        | {"pools": [pool(heat_shares={"loop": 0.5, "air": 0.6})]},
        "/pools/0/heat_shares",
        "too_high",
        "1 in all",
    ),
    (
        {"cooling": COOLED | {"masses": [LOOP]}}
        | {"pools": [pool(heat_shares={"loop": 0.5}, partner={"price_per_gpu_h": 1.0})]},
        "/pools/0/heat_shares",
        "partner",
        "not ours",
    ),
    ({"cooling": PLANT | {"units": [UNIT, UNIT]}}, "/cooling/units/1/name", "duplicate", "its own"),
    ({"cooling": PLANT | {"units": [UNIT], "spare_units": 1}}, "/cooling/spare_units", "too_high", "write fewer"),
    ({"cooling": PLANT | {"spare_units": 1}}, "/cooling/spare_units", "too_high", "write fewer"),
    (
        {"cooling": PLANT | {"units": [UNIT | {"capacity_heat_mw": [-1.0, 1.0, 1.0, 1.0]}]}},
        "/cooling/units/0/capacity_heat_mw/0",
        "negative",
        "0 or more",
    ),
    ({"cooling": PLANT | {"units": [UNIT | {"free": FREE}]}}, "/cooling/units/0/free/bulb", "missing", "add it"),
    (
        {"cooling": PLANT | {"units": [UNIT | {"free": FREE | {"none_above_c": 8.0}}]}}
        | {"series": {"dry_bulb_c": [9.0] * 4}},
        "/cooling/units/0/free/none_above_c",
        "too_low",
        "raise it",
    ),
    (
        {"cooling": PLANT | {"units": [UNIT | {"tangents": [{"slope": [0.1], "intercept_mw": 0.0}]}]}},
        "/cooling/units/0/tangents/0/slope",
        "wrong_length",
        "4 slots",
    ),
    (
        {"batteries": [battery(maintenance=[{"start": at(2), "end": at(1)}])]},
        "/batteries/0/maintenance/0/end",
        "not_after_start",
        "move it",
    ),
    (
        {"grid": {"maintenance": [{"start": "2026-11-09T00:10:00Z", "end": at(1)}]}},
        "/grid/maintenance/0/start",
        "off_border",
        "move it to a border",
    ),
    (
        {"pools": [pool(maintenance=[{"start": at(0), "end": at(1), "left_share": 1.5}])]},
        "/pools/0/maintenance/0/left_share",
        "less_than_equal",
        "1",
    ),
    (
        {"pools": [pool(nodes={"gpus_per_node": 9})]},
        "/pools/0/nodes/gpus_per_node",
        "too_high",
        "lower it",
    ),
    (
        {"pools": [pool(nodes={"gpus_per_node": 4, "on_before": 3})]},
        "/pools/0/nodes/on_before",
        "too_high",
        "mend the state",
    ),
    (
        {"pools": [pool(nodes={"gpus_per_node": 4, "on_before": 1, "started_before": [1, 1]})]},
        "/pools/0/nodes/started_before",
        "too_high",
        "mend the state",
    ),
    ({"pools": [pool(nodes={"gpus_per_node": 4, "off_w": 1.0})]}, "/pools/0/nodes/off_w", "too_high", "lower it"),
    (
        {"pools": [pool(nodes={"gpus_per_node": 4, "on_before": 1, "boot_slots": 2, "started_before": [1]})]}
        | {"jobs": [job("a", pool="hall", gpus=4, state="running")]},
        "/pools/0/nodes/on_before",
        "more_running_than_gpus",
        "mend the states",
    ),
    ({"storage": {"gb_per_s": -1.0}}, "/storage/gb_per_s", "negative", "0 or more"),
    ({"storage": {"gb_per_s": [1.0]}}, "/storage/gb_per_s", "wrong_length", "4 slots"),
    ({"jobs": [job("a", checkpoint_gb=1.0, count=2)]}, "/jobs/0/checkpoint_gb", "needs_count_1", "single jobs"),
    ({"jobs": [job("a", after=["z"])]}, "/jobs/0/after/0", "unknown_job", "mend the id"),
    ({"jobs": [job("a", after=["a"])]}, "/jobs/0/after/0", "circle", "break the circle"),
    ({"jobs": [job("a", after=["b"], state="paused"), job("b")]}, "/jobs/0/after", "has_begun", "leave it out"),
    ({"jobs": [job("a", after=["b"], count=2), job("b")]}, "/jobs/0/after", "needs_count_1", "single jobs"),
    ({"jobs": [job("a", after=["b"]), job("b", count=2)]}, "/jobs/0/after/0", "needs_count_1", "single jobs"),
    (
        {"pools": [pool(partner={"price_per_gpu_h": [1.0, -1.0, 1.0, 1.0]})]},
        "/pools/0/partner/price_per_gpu_h/1",
        "negative",
        "give 0 or more",
    ),
    (
        {"pools": [pool(partner={"price_per_gpu_h": 1.0}, idle_w_per_gpu=9.0)]},
        "/pools/0/idle_w_per_gpu",
        "not_ours",
        "0",
    ),
    (
        {
            "pools": [pool(partner={"price_per_gpu_h": 1.0})],
            "feeds": [{"name": "f", "pools": ["hall"], "limit_mw": 1.0}],
        },
        "/feeds/0/pools/0",
        "not_ours",
        "leave it out",
    ),
    ({"jobs": [job("a", surplus=True, preemptible=True)]}, "/jobs/0/due_h", "no_promise", "write 0"),
    ({"jobs": [job("a", surplus=True, due_h=0.0)]}, "/jobs/0/preemptible", "no_promise", "write true"),
    (
        {"jobs": [job("a", surplus=True, preemptible=True, due_h=0.0, min_run_slots=2)]},
        "/jobs/0/min_run_slots",
        "no_promise",
        "write 1",
    ),
    ({"jobs": [job("a", residency=["MA"])]}, "/jobs/0/residency", "no_pool", "name its pool"),
    (
        {"jobs": [job("a", pool="hall", residency=["MA"], state="running")], "pools": [pool(jurisdiction="ES")]},
        "/jobs/0/residency",
        "runs_elsewhere",
        "stop it there",
    ),
    ({"jobs": [job("a", alternatives=[{"gpus": 2}])]}, "/jobs/0/pool", "no_pool", "name it"),
    (
        {"jobs": [job("a", pool="hall", gpus=4, count=2, alternatives=[{"gpus": 2}])], "pools": [pool()]},
        "/jobs/0/alternatives",
        "needs_count_1",
        "single jobs",
    ),
    (
        {"jobs": [job("a", pool="hall", gpus=4, alternatives=[{"pool": "barn"}])], "pools": [pool()]},
        "/jobs/0/alternatives/0/pool",
        "unknown_pool",
        "write one of hall",
    ),
    (
        {"jobs": [job("a", pool="hall", gpus=4, alternatives=[{"gpus": 2}, {"gpus": 4}])], "pools": [pool()]},
        "/jobs/0/alternatives/1",
        "duplicate",
        "keep one",
    ),
    (
        {
            "jobs": [job("a", pool="hall", alternatives=[{"gpus": 2, "ready": OFF_BORDER}])],
            "pools": [pool()],
        },
        "/jobs/0/alternatives/0/ready",
        "off_border",
        "move it to a border",
    ),
    (
        {"jobs": [job("a", pool="hall", alternatives=[{"gpus": 2, "levels": BENT}])], "pools": [pool()]},
        "/jobs/0/alternatives/0/levels/1/speed",
        "under_envelope",
        "leave this level out",
    ),
    ({"grid": {"renewable_share": 40.0}}, "/grid/renewable_share", "less_than_equal", "1"),
    ({"grid": {"carbon_budget_kg": -1.0}}, "/grid/carbon_budget_kg", "greater_than_equal", "0"),
    ({"events": [EVENT | {"price": 1.0}]}, "/events/0/price", "extra_forbidden", "remove it"),
]


@pytest.mark.parametrize(("more", "place", "code", "mend"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_has_its_sentence(more: dict[str, Any], place: str, code: str, mend: str) -> None:
    fault = the_fault(**more)
    assert (fault.pointer, fault.code) == (place, code)
    assert mend in fault.message


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_problem(
            day(
                events=[EVENT | {"end": at(0)}],
                generators=[SET | {"min_power_mw": 2.0}],
                batteries=[battery(reserve_mwh=9.0)],
                schema_version="1.1",
            )
        )
    assert [fault.pointer for fault in refused.value.faults] == [
        "/batteries/0/reserve_mwh",
        "/events/0/end",
        "/generators/0/min_power_mw",
    ]


# ---- odd and right: no crash, no silent drop


def test_an_outlier_in_a_series_widens_no_big_m_and_spoils_no_plan() -> None:
    # a billion megawatts of sun: the import price is paid for nothing
    plan = planned(ten(series={"base_load_mw": [1.0] * 10, "pv_available_mw": [0.0] * 9 + [1e9]}))
    assert plan.objective == pytest.approx(450.0)


def test_a_day_without_anything_has_a_plan() -> None:
    plan = planned(ten(prices=[-5.0] * 10))
    assert (plan.status, plan.objective) == ("optimal", 0.0)


def test_a_day_of_twenty_three_hours_has_its_slots() -> None:
    # 29 March 2026 in Paris: the clock jumps from two to three, and a day is 92 quarters long
    start = "2026-03-28T23:00:00Z"
    horizon = {"start": start, "step_minutes": 15, "slots": 92}
    series = {"base_load_mw": [1.0] * 92, "import_price_per_mwh": [40.0] * 92}
    limits = {"events": [{"id": "dr", "start": start, "end": "2026-03-29T22:00:00Z", "most_import_mw": 1.0}]}
    raw = day(horizon=horizon, schema_version="1.1", **limits) | {"series": series}
    assert planned(raw).objective == pytest.approx(23 * 40)


def test_a_generator_and_a_service_of_no_power_do_nothing() -> None:
    nothing = {
        "generators": [SET | {"power_mw": 0.0}],
        "inference": [CHAT | {"power_mw": [0.0] * 10, "min_power_mw": 0.0}],
    }
    plan = planned(ten(series={"base_load_mw": [1.0] * 10}, **nothing))
    assert plan.objective == pytest.approx(550.0)
