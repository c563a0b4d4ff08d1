"""A site's day as a problem document: valid, and true to what it was made of."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.site_file import SAMPLES, read_site, sample_path
from ingest.sources.synthetic_jobs import synthetic_jobs
from models.cooling import plant_power_mw
from models.errors import InvalidInput
from models.horizon import Horizon, local_day, use_packaged_time_zones
from models.jobs import TrainingJob
from optimizer.compose import Availability, SiteState, assumed_state, compose
from optimizer.compose_jobs import due_h
from optimizer.refusals import check_problem

use_packaged_time_zones()
START = datetime(2026, 6, 3, 8, tzinfo=UTC)
H24 = Horizon(START, timedelta(minutes=15), 96)
DAKHLA = read_site(sample_path("dakhla"))
LOCAL = read_site(sample_path("local"))


def nature(site, horizon):
    hours = np.arange(horizon.slots) * horizon.step_h
    dry = 24 + 6 * np.sin((hours - 9) / 24 * 2 * np.pi)
    pv = sum(s.inverter_ac_mw for s in site.solar) * np.clip(np.sin((hours - 6) / 12 * np.pi), 0, None)
    wind = np.full(horizon.slots, 0.4 * sum(w.count * w.rated_mw for w in site.wind))
    return Availability(pv.tolist(), wind.tolist(), None, dry.tolist(), (dry - 5).tolist())


def job(**changes):
    raw = {"id": "a", "pool": "hall", "gpus": 16, "work_h": 4, "release": START, "source": "csv"}
    return TrainingJob.model_validate({**raw, **changes})


def composed(site, jobs, horizon=H24, state=None, **changes):
    nat = nature(site, horizon)
    fields = {key: getattr(nat, key) for key in nat.__slots__}
    return compose(site, horizon, Availability(**{**fields, **changes}), jobs, state or assumed_state(site), "day")


def refused(*args, **kwargs):
    with pytest.raises(InvalidInput) as caught:
        composed(*args, **kwargs)
    return {fault.pointer: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize("day", [date(2026, 6, 3), date(2026, 2, 15), date(2026, 3, 22), date(2026, 11, 25)])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_day_is_a_problem_that_the_contract_accepts(name, day):
    site = read_site(sample_path(name))
    first, last = local_day(day, site.zone)
    horizon = Horizon(first, site.planning.step, site.planning.slots)
    received = check_problem(composed(site, synthetic_jobs(site, day), horizon))
    document = received.document
    assert len(document.jobs) == site.synthetic.jobs_per_day
    assert document.site.currency == "MAD"
    assert document.gap == site.planning.gap
    peak = {p.price_per_mwh for p in site.tariff.periods if p.name == "peak"}
    in_day = document.series.import_price_per_mwh[: (last - first) // horizon.step]
    assert sum(price in peak for price in in_day) == 20


def test_a_job_carries_the_prices_of_its_priority_and_the_levels_of_its_pool():
    (made,) = composed(LOCAL, [job(priority="high", workload="finetune", tenant="t")])["jobs"]
    assert made["unmet_cost_per_h"] == 60 * 16
    assert made["late_cost_per_h"] == 15 * 16
    assert made["work_value_per_h"] == 1 * 16
    top = LOCAL.gpu("H100-SXM").curve("finetune").points[-1]
    assert made["levels"][-1] == {
        "limit_w": 700,
        "power_mw": pytest.approx(16 * (top.drawn_w + 350) / 1e6),
        "speed": 1.0,
    }
    assert made["due_h"] == made["work_h"] == 4


def test_a_priority_without_a_late_price_may_not_run_late():
    wishes = LOCAL.wishes.model_copy(update={"late_per_gpu_h": {"low": 2.0}})
    site = LOCAL.model_copy(update={"wishes": wishes})
    low, normal = composed(site, [job(priority="low"), job(id="b")])["jobs"]
    assert low["late_cost_per_h"] == 32
    assert normal["late_cost_per_h"] is None


@given(st.integers(-3000, 3000), st.integers(1, 3000), st.integers(0, 59))
def test_a_window_only_ever_shrinks_to_slot_borders(minutes, length, second):
    release = START + timedelta(minutes=minutes, seconds=second)
    deadline = release + timedelta(minutes=length)
    (made,) = composed(LOCAL, [job(release=release, deadline=deadline)])["jobs"]
    first, last = (datetime.fromisoformat(made[key]) for key in ("release", "deadline"))
    assert release <= first < release + H24.step
    assert deadline - H24.step < last <= deadline
    H24.border(first), H24.border(last)


def test_a_job_that_ends_after_the_horizon_owes_its_fair_part():
    # released at slot 0, due 48 h on: half of the window lies inside 24 h
    assert due_h(job(deadline=START + timedelta(hours=48)), H24) == pytest.approx(2.0)
    # released yesterday: what counts is the window from now on
    early = job(release=START - timedelta(hours=24), deadline=START + timedelta(hours=48))
    assert due_h(early, H24) == pytest.approx(2.0)
    # released 12 h into the horizon, due 24 h after its end: a third
    late = job(release=START + timedelta(hours=12), deadline=START + timedelta(hours=48))
    assert due_h(late, H24) == pytest.approx(4 / 3)
    assert due_h(job(deadline=H24.end), H24) == 4
    assert due_h(job(), H24) == 4
    assert due_h(job(release=H24.end + timedelta(hours=1), deadline=H24.end + timedelta(hours=9)), H24) == 0


def test_shuffled_jobs_make_the_same_document_but_for_their_order():
    jobs = synthetic_jobs(DAKHLA, date(2026, 6, 3))
    one, two = composed(DAKHLA, jobs), composed(DAKHLA, jobs[::-1])
    assert one["jobs"] == two["jobs"][::-1]
    assert {k: v for k, v in one.items() if k != "jobs"} == {k: v for k, v in two.items() if k != "jobs"}


def test_a_week_later_the_same_day_has_the_same_numbers():
    jobs = synthetic_jobs(DAKHLA, date(2026, 6, 3))
    week = timedelta(days=7)
    moved = [j.model_copy(update={"release": j.release + week, "deadline": j.deadline + week}) for j in jobs]
    one = composed(DAKHLA, jobs)
    two = composed(DAKHLA, moved, Horizon(START + week, H24.step, 96))
    for key in ("series", "grid", "cooling", "batteries", "pools"):
        assert one[key] == two[key]
    strip = ("release", "deadline")
    assert [{k: v for k, v in j.items() if k not in strip} for j in one["jobs"]] == [
        {k: v for k, v in j.items() if k not in strip} for j in two["jobs"]
    ]


def test_twice_the_gang_is_twice_the_power_and_twice_the_prices():
    small, large = composed(LOCAL, [job(), job(id="b", gpus=32)])["jobs"]
    for key in ("unmet_cost_per_h", "late_cost_per_h", "work_value_per_h"):
        assert large[key] == pytest.approx(2 * small[key])
    for a, b in zip(small["levels"], large["levels"], strict=True):
        assert b["power_mw"] == pytest.approx(2 * a["power_mw"])
        assert (a["speed"], a["limit_w"]) == (b["speed"], b["limit_w"])


def test_cooling_in_the_document_is_the_plants_own_within_its_error():
    made = composed(DAKHLA, [])["cooling"]
    nat = nature(DAKHLA, H24)
    for k in (0, 20, 60):
        for heat in (4.0, 12.0, 20.0):
            line = max(t["slope"][k] * heat + t["intercept_mw"][k] for t in made["tangents"])
            true = float(plant_power_mw(heat, nat.dry_bulb_c[k], nat.wet_bulb_c[k], DAKHLA.cooling))
            assert line == pytest.approx(true, abs=0.05)
            assert line <= true + 1e-6


def test_a_state_of_charge_a_hair_outside_is_clipped_and_a_real_error_is_refused():
    hair = 0.9e-6 * 40
    (made,) = composed(DAKHLA, [], state=SiteState({"bess-1": 40 + hair}, 18.0))["batteries"]
    assert made["soc_start_mwh"] == 40.0
    found = refused(DAKHLA, [], state=SiteState({"bess-1": 40.1}, 18.0))
    assert "40.1 MWh lies outside 2 to 40 MWh" in found["state.soc_mwh.bess-1"]
    assert "mend soc_min_mwh" in found["state.soc_mwh.bess-1"]
    assert "assumed_state" in refused(DAKHLA, [], state=SiteState({}, 18.0))["state.soc_mwh.bess-1"]


def test_a_battery_below_its_reserve_is_planned_from_where_it_stands():
    (made,) = composed(DAKHLA, [], state=SiteState({"bess-1": 3.0}, 18.0))["batteries"]
    assert (made["soc_start_mwh"], made["soc_min_mwh"], made["soc_end_min_mwh"]) == (3.0, 3.0, 20.0)
    (short,) = composed(DAKHLA, [], Horizon(START, H24.step, 4), SiteState({"bess-1": 3.0}, 18.0))["batteries"]
    assert short["soc_end_min_mwh"] == pytest.approx(3.0 + 10 * 0.96)
    (full,) = composed(DAKHLA, [], state=SiteState({"bess-1": 30.0}, 18.0))["batteries"]
    assert full["soc_min_mwh"] == 6.0


def test_everything_wrong_with_a_day_is_named_at_once():
    jobs = [
        job(id="big", gpus=97),
        job(id="lost", pool="attic"),
        job(id="r1", gpus=64, state="running"),
        job(id="r1", gpus=64, state="running"),
    ]
    found = refused(LOCAL, jobs, pv_mw=[0.0] * 95, wet_bulb_c=None, gpus={"attic": [1] * 96}, state=SiteState({}, -1.0))
    assert set(found) == {
        "jobs[0].gpus",
        "jobs[1].pool",
        "jobs[3].id",
        "pools.hall",
        "availability.pv_mw",
        "availability.wet_bulb_c",
        "availability.gpus.attic",
        "state.peak_so_far_mw",
    }
    assert found["pools.hall"].startswith("running jobs hold 128 GPUs, but the pool has 96")
    assert found["availability.pv_mw"] == "95 values for 96 slots; give one a slot"


def test_maintenance_takes_gpus_away_slot_by_slot():
    made = composed(LOCAL, [job()], gpus={"hall": [96] * 48 + [80] * 48})
    assert made["pools"][0]["gpus"] == [96] * 48 + [80] * 48
    check_problem(made)
    assert "outside 0 to 96" in refused(LOCAL, [], gpus={"hall": [97] * 96})["availability.gpus.hall"]


def test_orders_and_states_travel_along():
    pinned = job(pinned_start=START + timedelta(minutes=50), held=True, state="paused", preemptible=True, max_pauses=2)
    (made,) = composed(LOCAL, [pinned])["jobs"]
    assert made["pinned_start"] == "2026-06-03T09:00:00Z"
    assert (made["held"], made["state"], made["max_pauses"]) == (True, "paused", 2)


def test_a_priced_headroom_is_sized_by_the_fall_and_asked_for_only_where_the_site_prices_it():
    fall = [0.02 * (k % 4) for k in range(96)]
    plain = composed(LOCAL, [job()], fall_mw=fall)
    assert "reserve" not in plain
    assert plain["schema_version"] == "1.0"
    priced = LOCAL.model_copy(update={"planning": LOCAL.planning.model_copy(update={"reserve_price_per_mwh": 300.0})})
    made = composed(priced, [job()], fall_mw=fall)
    assert made["reserve"] == {"drop_mw": pytest.approx(fall), "cost_per_mwh": 300.0}
    assert check_problem(made).document.schema_version == "1.1"
    assert "reserve" not in composed(priced, [job()], fall_mw=[0.0] * 96), "a night without wind asks for nothing"
    assert refused(priced, [job()], fall_mw=[0.1])["availability.fall_mw"].startswith("1 values for 96 slots")


def test_batteries_store_what_a_fall_takes_until_the_next_plan():
    """A fall of 4 MW through 30 minutes is 2 MWh, over an efficiency of 0.96; never more than half of 34 MWh."""
    planning = DAKHLA.planning.model_copy(update={"reserve_price_per_mwh": 300.0, "replan_minutes": 30})
    site = DAKHLA.model_copy(update={"planning": planning})
    (battery,) = composed(site, [], fall_mw=[4.0] * 90 + [0.0] * 6)["batteries"]
    assert battery["reserve_mwh"][:89] == pytest.approx([2.0 / 0.96] * 89)
    assert battery["reserve_mwh"][89:] == pytest.approx([1.0 / 0.96] + [0.0] * 6)
    assert battery["below_reserve_cost_per_mwh_h"] == 600.0
    (battery,) = composed(site, [], fall_mw=[80.0] * 96)["batteries"]
    assert set(battery["reserve_mwh"][:95]) == {(40.0 - 6.0) / 2}
    assert check_problem(composed(site, [], fall_mw=[80.0] * 96)).document.batteries
