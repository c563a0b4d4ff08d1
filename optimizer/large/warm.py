"""Compile the arithmetic once (`python -m optimizer.large.warm`, part of set-up), so that no plan waits for it.

numba keeps what it compiles beside the source, or in the user's cache folder where that may not be
written. The signatures are those of real use because a real, tiny day is priced and listed.
"""

from __future__ import annotations

import time

from optimizer.energy_model import EnergyModel
from optimizer.large.crowd import Crowd
from optimizer.large.listing import Listing
from optimizer.large.prices import rounds
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem


def _day() -> dict[str, object]:
    """Four slots, one gang that may pause and one that may not, and an entry of two copies."""
    job = {
        "pool": "a",
        "gpus": 1,
        "work_h": 0.5,
        "levels": [{"power_mw": 0.5, "speed": 0.8}, {"power_mw": 1.0, "speed": 1.0}],
        "release": "2026-01-01T00:00:00Z",
        "unmet_cost_per_h": 100.0,
    }
    jobs = [
        {**job, "id": "pausing", "preemptible": True},
        {**job, "id": "whole"},
        {**job, "id": "copies", "count": 2},
    ]
    return {
        "schema_version": "1.0",
        "name": "warm",
        "site": {"name": "warm", "timezone": "UTC", "currency": "EUR"},
        "horizon": {"start": "2026-01-01T00:00:00Z", "step_minutes": 15, "slots": 4},
        "series": {"import_price_per_mwh": [50.0, 60.0, 70.0, 80.0]},
        "grid": {"import_limit_mw": 10.0, "export_limit_mw": 0.0},
        "pools": [{"name": "a", "gpu": "none", "gpus": 8, "idle_w_per_gpu": 0.0}],
        "jobs": jobs,
    }


def main() -> None:
    """Price and list the day; say how long it took."""
    began = time.monotonic()
    problem = compile_problem(check_problem(_day()))
    crowd, energy = Crowd(problem), EnergyModel(problem)
    for last in rounds(energy, crowd, time.monotonic() + 1.0):
        listing = Listing(energy, crowd, last)
        listing.run(0.1)
        break
    print(f"chergui: the planner's arithmetic is compiled after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
