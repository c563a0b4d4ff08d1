"""A what-if told: what the wished start costs, what that is made of, who else moves, or what forbids it."""

from __future__ import annotations

from models.horizon import rfc3339
from optimizer.explain.causes import weights
from optimizer.explain.changes import moved
from optimizer.explain.contrast import WhatIf
from optimizer.explain.statement import Fact, Statement


def told(found: WhatIf) -> dict[str, list[Statement]]:
    """Sections of statements; ``conflicts`` hold the solver's own sentences."""
    facts: dict[str, Fact] = {"job": found.job, "wished_at": rfc3339(found.start)}
    what = found.difference
    if what is None:
        conflicts = [Statement("whatif.conflict", {"sentence": sentence}) for sentence in found.conflicts]
        return {"wish": [Statement("whatif.impossible", facts), *conflicts]}
    way = "dearer" if what.money > 0 else "cheaper"
    numbers: dict[str, Fact] = {
        "difference_money": abs(what.money),
        "signed_kg": what.carbon_kg,
        "signed_mw": what.peak_mw,
    }
    wish = [Statement(f"whatif.{way}", {**facts, **numbers}, money=what.money)]
    if found.gap_money is None:
        wish.append(Statement("whatif.gap_open"))
    else:
        wish.append(Statement("whatif.gap", {"gap_money": found.gap_money}))
    entry = found.plan.entry(found.job)
    others = [moved(move) for move in found.moves]
    return {
        "wish": wish,
        "parts": weights(what, entry),
        "jobs": others or [Statement("whatif.nobody", facts)],
    }
