from datetime import timedelta

import pytest
from made_edition import START, made_edition

from api.pages.view import day_view, plan_view

NOW = START + timedelta(hours=5, minutes=7)


def figure(view, key):
    return next(item for item in view["live"]["figures"] if item["key"] == key)


def test_supply_meets_demand_in_every_slot():
    view = plan_view(made_edition())
    for k in range(view["horizon"]["slots"]):
        gives = sum(values[k] for values in view["supply"].values())
        takes = sum(values[k] for values in view["demand"].values())
        assert gives == pytest.approx(takes, abs=1e-6)


@pytest.mark.parametrize(("gap", "shown"), [(0.031, 0.031), (0.5, 0.5), (0.51, None), (None, None)])
def test_a_gap_that_says_nothing_is_not_shown(gap, shown):
    assert plan_view(made_edition(gap=gap))["gap"] == shown


def test_figures_are_those_of_the_running_slot():
    edition = made_edition()
    view = day_view(edition, {"h100-a": "shadow"}, NOW)
    assert view["live"]["slot"] == 20
    assert figure(view, "import")["value"] == edition["plan"]["series"]["import_mw"][20]
    assert figure(view, "stored")["value"] == edition["plan"]["series"]["soc_mwh"]["bess-1"][19]
    assert figure(view, "hall")["high"] == 32.0


def test_before_the_first_slot_ends_the_battery_holds_what_it_started_with():
    view = day_view(made_edition(), {}, START)
    assert figure(view, "stored")["value"] == 10.0


@pytest.mark.parametrize("now", [START - timedelta(minutes=1), START + timedelta(hours=36)])
def test_outside_the_horizon_every_figure_is_unknown(now):
    live = day_view(made_edition(), {}, now)["live"]
    assert live["slot"] is None
    for item in live["figures"]:
        assert item["value"] is None
        assert item["quality"] == "unknown"


def test_an_expired_plan_is_said_to_be():
    assert day_view(made_edition(), {}, START + timedelta(hours=36))["live"]["expired"]
    assert not day_view(made_edition(), {}, NOW)["live"]["expired"]


@pytest.mark.parametrize(
    ("modes", "mode"), [({}, "unknown"), ({"a": "auto", "b": "auto"}, "auto"), ({"a": "auto", "b": "shadow"}, "mixed")]
)
def test_one_mode_is_named_only_if_all_agree(modes, mode):
    assert day_view(made_edition(), modes, NOW)["live"]["mode"] == mode


def job(edition, index=0):
    planned = next(item for item in edition["plan"]["jobs"] if item["id"] == edition["problem"]["jobs"][index]["id"])
    return edition["problem"]["jobs"][index], planned


def standing(edition, job_id):
    return next(item["standing"] for item in plan_view(edition)["jobs"] if item["id"] == job_id)


def test_jobs_stand_by_what_the_plan_says_of_their_deadline():
    edition = made_edition()
    order, planned = job(edition, 1)
    assert standing(edition, order["id"]) == "on_time"
    order["deadline"] = planned["runs"][-1]["end"]
    assert standing(edition, order["id"]) == "risk"
    planned["late_h"] = 0.5
    assert standing(edition, order["id"]) == "late"
    planned["unmet_h"] = 0.5
    assert standing(edition, order["id"]) == "unmet"
    order["held"] = True
    assert standing(edition, order["id"]) == "held"


def test_a_job_that_does_not_run_waits_and_a_deadline_beyond_the_horizon_is_no_risk():
    edition = made_edition()
    order, planned = job(edition, 1)
    order["deadline"] = "2027-01-01T00:00:00Z"
    assert standing(edition, order["id"]) == "on_time"
    planned["runs"] = []
    planned["unmet_h"] = 0.0
    assert standing(edition, order["id"]) == "waiting"


def test_touching_runs_are_one_session():
    view = plan_view(made_edition())
    capped = [item for item in view["jobs"] if len(item["runs"]) > 1]
    assert capped
    assert all(item["sessions"] == 1 for item in capped)


def test_curtailment_is_what_was_there_less_what_was_used():
    edition = made_edition()
    view = plan_view(edition)
    pv = zip(edition["problem"]["series"]["pv_available_mw"], edition["plan"]["series"]["pv_used_mw"], strict=True)
    assert sum(view["curtailed"]) == pytest.approx(sum(a - u for a, u in pv))
    assert sum(view["curtailed"]) > 1


def test_what_is_made_up_is_called_synthetic():
    edition = made_edition()
    assert plan_view(edition)["synthetic"]
    edition["sources"] = [source | {"synthetic": False} for source in edition["sources"]]
    edition["job_labels"] = {}
    assert not plan_view(edition)["synthetic"]
