"""The simulated site keeps energy, obeys its orders, and saves itself where it cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.site_file import read_site, sample_path
from models.cooling import hall_air_c
from models.gpu_power import drawn_at_limit_w
from models.horizon import use_packaged_time_zones
from models.plant.nature import Air
from models.plant.orders import JobOrder, Orders
from models.plant.rooms import HALL_K_PER_MIN, Rooms, cooled, heat_share
from models.plant.scenarios import Works
from models.plant.step import Plant
from models.plant.work import activity

use_packaged_time_zones()
SITE = read_site(sample_path("dakhla"))
PLANT = Plant(SITE)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
WELL = Works(1.0, 1.0)
MILD = Air(pv_mw=5.0, wind_mw=3.0, dry_bulb_c=22.0, wet_bulb_c=17.0)
BATTERY = SITE.batteries[0]
BUSY = Orders((JobOrder("a", "h100-a", 12288, "pretrain", 700.0), JobOrder("b", "b200-a", 6144, "pretrain", 1000.0)))


def run(orders, minutes, *, air=MILD, works=WELL, state=None):
    state, flows = state or PLANT.at_rest(NOON), []
    for _ in range(round(minutes * 6)):
        state, flow = PLANT.step(state, orders, air, works, 10.0)
        flows.append(flow)
    return state, flows


def test_a_site_without_jobs_draws_what_its_idle_gpus_do():
    _, flows = run(Orders(), 1)
    expected = sum(pool.gpus * SITE.idle_w(pool) for pool in SITE.pools) / 1e6
    assert flows[-1].it_mw == pytest.approx(expected)
    assert flows[-1].shown["h100-a"].drawn_w == SITE.gpu("H100-SXM").idle_w


def test_a_job_draws_what_its_cap_lets_flow_and_gets_on_at_its_speed():
    order = JobOrder("a", "h100-a", 1000, "pretrain", 500.0)
    state, flows = run(Orders((order,)), 60)
    pool, gpu = SITE.pool("h100-a"), SITE.gpu("H100-SXM")
    drawn = drawn_at_limit_w(gpu, "pretrain", 500.0) * activity("a", flows[0] and NOON)
    watts = 1000 * (drawn + SITE.host_w(pool)) + (12288 - 1000) * SITE.idle_w(pool)
    assert flows[0].pools_mw["h100-a"] == pytest.approx(watts / 1e6)
    assert 0.5 < state.work_h["a"] < 1.0  # an hour at a cap of 500 of 700 W


@pytest.mark.parametrize("job", ["a", "b", "slurm-4711"])
def test_a_job_breathes_around_what_its_curve_says(job):
    seconds = [activity(job, NOON + timedelta(seconds=s)) for s in range(0, 5400, 3)]
    assert sum(seconds) / len(seconds) == pytest.approx(1.0, abs=0.001), "drawn watts of a curve are a run's mean"
    assert max(seconds) < 1.03
    assert min(seconds) == 0.55


def test_stored_energy_counts_the_losses():
    state, flows = run(Orders(battery_mw={"bess-1": 2.0}), 60)
    assert flows[-1].battery_mw["bess-1"] == 2.0
    assert state.soc_mwh["bess-1"] == pytest.approx(BATTERY.assumed_mwh + 2.0 * BATTERY.charge_efficiency)
    state, _ = run(Orders(battery_mw={"bess-1": -2.0}), 60)
    assert state.soc_mwh["bess-1"] == pytest.approx(BATTERY.assumed_mwh - 2.0 / BATTERY.discharge_efficiency)


def test_a_battery_stops_at_its_limits_whatever_it_is_told():
    nearly_full = PLANT.at_rest(NOON, {"bess-1": BATTERY.top_mwh - 3.0})
    full, flows = run(Orders(battery_mw={"bess-1": 99.0}), 40, state=nearly_full)
    assert max(flow.battery_mw["bess-1"] for flow in flows) == BATTERY.power_mw
    assert full.soc_mwh["bess-1"] == pytest.approx(BATTERY.top_mwh)
    assert flows[-1].battery_mw["bess-1"] == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.builds(Air, st.floats(0, 21), st.floats(0, 8), st.floats(-5, 50), st.floats(-5, 30)),
    st.builds(Works, st.floats(0, 1), st.floats(0, 1)),
    st.floats(-15, 15),
    st.lists(st.tuples(st.integers(1, 3000), st.floats(150, 800)), max_size=4),
    st.floats(2, 40),
    st.floats(15, 50),
)
def test_energy_is_kept_and_limits_hold(air, works, charge, jobs, soc, hall):
    start = PLANT.at_rest(NOON, {"bess-1": soc})
    start = type(start)(start.at, start.soc_mwh, Rooms(hall, 40.0))
    orders = Orders(
        tuple(JobOrder(str(k), "h100-a", gpus, "finetune", limit) for k, (gpus, limit) in enumerate(jobs)),
        {"bess-1": charge},
    )
    state, flows = PLANT.step(start, orders, air, works, 10.0)
    assert flows.surplus_mw(SITE.distribution_efficiency) == pytest.approx(0.0, abs=1e-9)
    assert 0 <= flows.import_mw <= SITE.grid.import_limit_mw * works.grid_share + 1e-9
    assert 0 <= flows.export_mw <= SITE.grid.export_limit_mw * works.grid_share + 1e-9
    assert 0 <= flows.pv_mw <= air.pv_mw + 1e-9
    assert 0 <= flows.wind_mw <= air.wind_mw + 1e-9
    assert BATTERY.soc_min_mwh - 1e-9 <= state.soc_mwh["bess-1"] <= BATTERY.top_mwh + 1e-9
    # Nothing is left dark while a job still runs: jobs go first.
    assert flows.dark_mw < 1e-6 or flows.throttle < 1e-6


def test_when_the_grid_trips_the_battery_bridges_and_then_jobs_stop():
    calm = Air(0.0, 0.0, 22.0, 17.0)
    _, flows = run(BUSY, 5, air=calm, works=Works(0.0, 1.0))
    assert {flow.import_mw for flow in flows} == {0.0}
    assert flows[0].battery_mw["bess-1"] == pytest.approx(-BATTERY.power_mw)
    assert flows[0].throttle < 1.0  # 10 MW of battery do not carry the whole site
    assert sum(flow.dark_mw for flow in flows) == pytest.approx(0.0, abs=1e-6)
    nearly_empty = PLANT.at_rest(NOON, {"bess-1": BATTERY.soc_min_mwh + 0.1})
    _, later = run(BUSY, 5, air=calm, works=Works(0.0, 1.0), state=nearly_empty)
    assert later[-1].throttle == pytest.approx(0.0, abs=1e-6)
    assert later[-1].dark_mw > 0.0  # idle GPUs and offices, once the battery is empty


def test_what_the_grid_cannot_take_is_charged_and_then_curtailed():
    sunny = Air(21.0, 8.0, 22.0, 17.0)
    _, flows = run(Orders(), 1, air=sunny)
    assert flows[0].battery_mw["bess-1"] > 0
    assert flows[0].export_mw == pytest.approx(SITE.grid.export_limit_mw)
    _, flows = run(Orders(), 1, air=sunny, state=PLANT.at_rest(NOON, {"bess-1": BATTERY.top_mwh}))
    assert flows[0].pv_mw + flows[0].wind_mw < 29.0


def test_the_hall_goes_where_the_plans_model_has_it_while_cooling_suffices():
    state, flows = run(BUSY, 120, air=Air(20.0, 8.0, 22.0, 17.0))
    heat = [flow.it_mw / SITE.distribution_efficiency for flow in flows]
    start = SITE.cooling.hall.setpoint_c
    assert state.rooms.hall_c == pytest.approx(float(hall_air_c(heat, 1 / 6, SITE.cooling, start)[-1]), abs=0.05)


def test_without_cooling_the_hall_warms_by_the_stated_rate():
    heat = SITE.cooling.air.rated_heat_mw / SITE.cooling.air.heat_share
    after = cooled(SITE.cooling, Rooms(24.0, 40.0), heat, MILD, 0.0, 1.0)
    assert after.rooms.hall_c == pytest.approx(24.0 + HALL_K_PER_MIN)
    assert (after.power_mw, after.removed_mw) == (0.0, 0.0)


def test_heat_throttles_gpus_then_trips_servers_which_come_back_when_it_is_cool():
    plant = SITE.cooling
    assert heat_share(plant, Rooms(plant.hall.allowable_c, 30.0)) == 1.0
    assert heat_share(plant, Rooms(plant.hall.allowable_c + 2.5, 30.0)) == 0.5
    dead = Works(1.0, 0.0)
    state, flows = run(BUSY, 60, works=dead)
    assert min(flow.throttle for flow in flows) < 0.6
    assert state.tripped
    assert flows[-1].throttle == 0.0
    state, flows = run(BUSY, 120, state=state)
    assert not state.tripped
    assert flows[-1].throttle > 0.9


def test_steps_too_long_for_the_rooms_are_refused():
    with pytest.raises(ValueError, match="at most 60"):
        PLANT.step(PLANT.at_rest(NOON), Orders(), MILD, WELL, 61.0)


def test_the_meter_counts_what_flowed():
    state, flows = run(BUSY, 30)
    assert state.import_mwh == pytest.approx(sum(flow.import_mw for flow in flows) / 360)
    assert state.at == NOON + timedelta(minutes=30)
