"""From a difference in money to the closed list of reasons; what the reasons weigh adds up to the difference."""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.explain.contrast import Difference, difference
from optimizer.explain.seen import Seen
from optimizer.explain.statement import Fact, Reason, Statement, ranked
from optimizer.problem import Entry

TRIFLE = 1e-6
"""Share of the largest term below which one is a solver's last digits."""

OF_TERM = {
    "demand_charge": Reason.PEAK_CHARGE,
    "carbon": Reason.LOW_CO2,
    "fuel": Reason.LOW_PRICE,
    "stored": Reason.SOC_RESERVE,
    "work_value": Reason.DEADLINE,
    "change": Reason.PLAN_STABILITY,
}
"""Reason that a term stands for by itself; import, export, late and unmet are split, the rest has none in the list."""


def contrasted(key: str, plan: Seen, other: Seen, e: Entry, facts: Mapping[str, Fact]) -> list[Statement]:
    """What the other plan costs more, and what that is made of, the weightiest part first."""
    found = difference(plan, other)
    way = "dearer" if found.money > 0 else "cheaper"
    numbers: dict[str, Fact] = {
        "difference_money": abs(found.money),
        "signed_kg": found.carbon_kg,
        "signed_mw": found.peak_mw,
    }
    return [Statement(f"{key}.{way}", {**facts, **numbers}), *weights(found, e)]


def weights(found: Difference, e: Entry) -> list[Statement]:
    """What speaks for the plan against the other (positive money) and against it (negative), the weightiest first.

    Energy bought and sold falls into the sun and wind that the other plan leaves unused (their energy at the mean price
    of the import that takes their place) and what the hours' prices make. Late and unmet work falls on the job itself
    (``DEADLINE``) or on others (``PRIORITY``).
    """
    terms = dict(found.terms)
    bought = terms.pop("import", 0.0) + terms.pop("export", 0.0)
    lost_mwh = max(0.0, -found.own_mwh)
    sun = bought * min(1.0, lost_mwh / found.import_mwh) if found.import_mwh > 0 and bought > 0 else 0.0
    parts: list[tuple[Reason | None, str, float]] = [
        (Reason.SOLAR_SURPLUS, "sun", sun),
        (Reason.LOW_PRICE, "import", bought - sun),
    ]
    for name, hours, price in (("late", found.late_h, e.late_cost), ("unmet", found.unmet_h, e.unmet_cost)):
        whole = terms.pop(name, 0.0)
        own = hours.get(e.id, 0.0) * (price or 0.0)
        parts += [(Reason.DEADLINE, name, own), (Reason.PRIORITY, name, whole - own)]
    parts += [(OF_TERM.get(name), name, money) for name, money in terms.items()]
    floor = TRIFLE * max((abs(money) for _, _, money in parts), default=0.0)
    told = [
        Statement(
            f"weight.{reason.value if reason else 'OTHER'}",
            {"signed_money": money, "part_term": name},
            reason,
            money,
        )
        for reason, name, money in parts
        if abs(money) > floor
    ]
    return ranked(told)
