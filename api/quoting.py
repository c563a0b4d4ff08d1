"""What one more run would cost at the slot prices that are kept with a plan."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.plan_store import Edition
from models.errors import NotFound
from models.horizon import rfc3339
from optimizer.kept_prices import KeptPrices


def quoted(edition: Edition, pool: str, gpus: int, power_mw: float, hours: float) -> dict[str, Any]:
    """Cost of a run of constant power by its start; the run is rounded up to whole slots.

    Raises:
        NotFound: the plan has no slot prices, no such pool, or no room for so long a run.
    """
    if edition.get("prices") is None:
        raise NotFound("slot prices of plan", edition["plan_id"])
    kept, problem = KeptPrices.from_json(edition["prices"]), edition["problem"]
    if pool not in kept.power_per_mwh:
        raise NotFound("pool", pool)
    step = timedelta(minutes=problem["horizon"]["step_minutes"])
    costs = kept.quotes(pool, gpus, power_mw, -(-timedelta(hours=hours) // step), step / timedelta(hours=1))
    if not costs:
        raise NotFound("start of so long a run in plan", edition["plan_id"])
    starts = [rfc3339(kept.start + k * step) for k in range(len(costs))]
    return {
        "plan_id": edition["plan_id"],
        "currency": problem["site"].get("currency"),
        "starts": starts,
        "costs": costs,
        "cheapest": starts[costs.index(min(costs))],
        "dearest": starts[costs.index(max(costs))],
    }
