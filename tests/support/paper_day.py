"""A three-hour day written by hand that touches every part of the contract, with a plan computed on paper.

IT: 1.0 + 0.5 + 4 idle GPUs; 2 x 0.5 + 8 idle; 0.75 + 4 idle. Heat is IT / 0.8. Tangents cross at 1.75 MW.
Work of *train*: 1 + 0.8 less 0.25 lost at its second start. Stock: 1 + 0.9 x 0.25 - 0.2025 / 0.9.
"""

from __future__ import annotations

import copy
from typing import Any

from optimizer.document import Plan, ReceivedProblem, digest, parse_plan
from optimizer.refusals import check_problem

_PROBLEM: dict[str, Any] = {
    "schema_version": "1.0",
    "name": "paper-day",
    "site": {"name": "paper", "timezone": "UTC", "currency": "EUR"},
    "horizon": {"start": "2026-11-09T06:00:00Z", "step_minutes": 60, "slots": 3},
    "series": {
        "pv_available_mw": [2.0, 0.0, 0.0],
        "wind_available_mw": [0.0, 4.0, 0.0],
        "base_load_mw": [1.0, 1.0, 1.0],
        "import_price_per_mwh": [50.0, 50.0, 80.0],
        "export_price_per_mwh": [20.0, 20.0, 20.0],
        "carbon_kg_per_mwh": [100.0, 100.0, 100.0],
    },
    "grid": {
        "import_limit_mw": 2.0,
        "export_limit_mw": 1.0,
        "demand_charge_per_mw": 10.0,
        "peak_so_far_mw": 1.5,
        "import_ramp_mw_per_slot": 2.5,
        "carbon_price_per_kg": 0.01,
    },
    "batteries": [
        {
            "name": "store",
            "power_mw": 0.5,
            "energy_mwh": 2.0,
            "charge_efficiency": 0.9,
            "discharge_efficiency": 0.9,
            "soc_start_mwh": 1.0,
            "soc_min_mwh": 0.5,
            "soc_max_mwh": 1.5,
            "soc_end_min_mwh": 1.0,
            "wear_cost_per_mwh": 2.0,
        }
    ],
    "cooling": {
        "tangents": [{"slope": 0.2, "intercept_mw": 0.0}, {"slope": 0.4, "intercept_mw": -0.35}],
        "capacity_heat_mw": 2.0,
    },
    "distribution_efficiency": 0.8,
    "pools": [{"name": "hall", "gpu": "H100", "gpus": 8, "idle_w_per_gpu": 12500.0}],
    "feeds": [{"name": "ups", "pools": ["hall"], "limit_mw": 1.2}],
    "jobs": [
        {
            "id": "train",
            "pool": "hall",
            "gpus": 4,
            "work_h": 3.0,
            "levels": [
                {"power_mw": 0.5, "speed": 0.6, "limit_w": 300.0},
                {"power_mw": 1.0, "speed": 1.0, "limit_w": 500.0},
            ],
            "release": "2026-11-09T05:00:00Z",
            "deadline": "2026-11-09T08:00:00Z",
            "late_cost_per_h": 2.0,
            "unmet_cost_per_h": 10.0,
            "preemptible": True,
            "restart_loss_h": 0.25,
            "start_cost": 1.0,
        },
        {
            "id": "copies",
            "count": 2,
            "work_h": 2.0,
            "due_h": 1.0,
            "levels": [{"power_mw": 0.5, "speed": 1.0}],
            "release": "2026-11-09T06:00:00Z",
            "work_value_per_h": 1.0,
        },
    ],
}

_PLAN: dict[str, Any] = {
    "schema_version": "1.0",
    "name": "paper-day",
    "problem_digest": digest(_PROBLEM),
    "status": "feasible",
    "rung": "MILP",
    "objective": 251.765,
    "bound": 250.0,
    "gap": 1.765 / 251.765,
    "solve_seconds": 0.5,
    "terms": {
        "import": 227.925,  # 1.3625 x 50 + 1.9975 x 80
        "export": -2.0,  # 0.1 x 20
        "demand_charge": 4.975,  # (1.9975 - 1.5) x 10
        "carbon": 3.36,  # 3.36 MWh x 100 kg x 0.01
        "wear": 0.405,  # 0.2025 x 2
        "starts": 2.0,
        "late": 1.6,  # 0.8 x 2
        "unmet": 14.5,  # (3 - 1.55) x 10
        "work_value": -1.0,
    },
    "series": {
        "import_mw": [1.3625, 0.0, 1.9975],
        "export_mw": [0.0, 0.1, 0.0],
        "pv_used_mw": [2.0, 0.0, 0.0],
        "wind_used_mw": [0.0, 3.0, 0.0],
        "it_mw": [1.55, 1.1, 0.8],
        "heat_mw": [1.9375, 1.375, 1.0],
        "cooling_mw": [0.425, 0.275, 0.2],
        "base_load_mw": [1.0, 1.0, 1.0],
        "charge_mw": {"store": [0.0, 0.25, 0.0]},
        "discharge_mw": {"store": [0.0, 0.0, 0.2025]},
        "soc_mwh": {"store": [1.0, 1.225, 1.0]},
    },
    "jobs": [
        {
            "id": "train",
            "runs": [
                {
                    "start": "2026-11-09T06:00:00Z",
                    "end": "2026-11-09T07:00:00Z",
                    "power_mw": 1.0,
                    "speed": 1.0,
                    "limit_w": 500.0,
                },
                {
                    "start": "2026-11-09T08:00:00Z",
                    "end": "2026-11-09T09:00:00Z",
                    "power_mw": 0.75,
                    "speed": 0.8,
                    "limit_w": 400.0,
                },
            ],
            "work_done_h": 1.55,
            "late_h": 0.8,
            "unmet_h": 1.45,
        },
        {
            "id": "copies",
            "runs": [
                {"start": "2026-11-09T06:00:00Z", "end": "2026-11-09T07:00:00Z", "power_mw": 0.5, "speed": 1.0},
                {
                    "start": "2026-11-09T07:00:00Z",
                    "end": "2026-11-09T08:00:00Z",
                    "power_mw": 0.5,
                    "speed": 1.0,
                    "count": 2,
                },
            ],
            "work_done_h": 3.0,
        },
    ],
    "unmet": [
        {
            "requirement": "job:train/due",
            "amount": 1.45,
            "unit": "h",
            "price": 10.0,
            "sentence": "1.45 h of job train are left undone.",
        },
        {
            "requirement": "job:train/deadline",
            "amount": 0.8,
            "unit": "h",
            "price": 2.0,
            "sentence": "0.8 h of job train come after its deadline.",
        },
    ],
}


def problem(**edits: Any) -> ReceivedProblem:
    """The paper day; ``edits`` are top-level fields that replace its own."""
    return check_problem({**copy.deepcopy(_PROBLEM), **edits})


def raw_plan() -> dict[str, Any]:
    """The plan on paper as plain JSON, a fresh copy."""
    return copy.deepcopy(_PLAN)


def plan() -> Plan:
    """The plan on paper."""
    return parse_plan(raw_plan())
