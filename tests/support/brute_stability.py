"""The oracle's hand for the plan in force, written from the contract and nothing else of ours."""

from __future__ import annotations

from typing import Any

Linear = dict[int, float]


class InForce:
    """What the plan in force has one job do, on the slots."""

    def __init__(self, problem: dict[str, Any], grid: Any, job: dict[str, Any]) -> None:
        asked, said = problem.get("stability"), job.get("published")
        self.job, self.hours, self.there = job["id"], grid.hours, asked is not None and said is not None
        if not self.there:
            return
        self.said = said
        self.known = max(0, min(grid.slots, grid.slot(asked["until"])))
        frozen = asked.get("frozen_until")
        self.frozen = 0 if frozen is None else max(0, min(self.known, grid.slot(frozen)))
        self.power: list[float | None] = [None] * grid.slots
        for run in said["runs"]:
            for t in range(max(0, grid.slot(run["start"])), max(0, min(grid.slots, grid.slot(run["end"])))):
                self.power[t] = run["power_mw"]

    def differing(self, on: tuple[int, ...]) -> tuple[float, float]:
        """Hours that differ: after the frozen window and inside it."""
        differs = [t for t in range(self.known) if bool(on[t]) != (self.power[t] is not None)]
        inside = sum(t < self.frozen for t in differs)
        return self.hours * (len(differs) - inside), self.hours * inside

    def cost(self, on: tuple[int, ...]) -> float:
        """What a pattern pays for them."""
        if not self.there:
            return 0.0
        moved, frozen = self.differing(on)
        return moved * self.said.get("moved_cost_per_h", 0.0) + frozen * self.said.get("frozen_cost_per_h", 0.0)

    def levels(self, program: Any, on: list[Linear], power: list[Linear]) -> None:
        """Columns for the power beside the published one in the frozen window."""
        price = self.said.get("frozen_cost_per_mwh", 0.0) if self.there else 0.0
        for t in range(self.frozen if price else 0):
            if self.power[t] is not None:
                away = program.column(0.0, cost=self.hours * price)
                due = {column: -self.power[t] * value for column, value in on[t].items()}
                program.row({**_sum(power[t], due), away: -1.0}, high=0.0)
                program.row({**_sum(power[t], due), away: 1.0}, low=0.0)

    def told(self, on: tuple[int, ...], power: list[float]) -> list[dict[str, Any]]:
        """Every priced change of a job with this pattern and power."""
        if not self.there:
            return []
        moved, frozen = self.differing(on)
        pairs = [(t, self.power[t]) for t in range(self.frozen) if on[t]]
        away = self.hours * sum(abs(power[t] - said) for t, said in pairs if said is not None)
        rows = (("moved", moved, "h", "moved_cost_per_h"), ("frozen", frozen, "h", "frozen_cost_per_h"))
        rows += (("frozen_power", away, "MWh", "frozen_cost_per_mwh"),)
        return [wish(f"job:{self.job}/{w}", amount, u, self.said.get(p, 0.0)) for w, amount, u, p in rows]


def _sum(one: Linear, other: Linear) -> Linear:
    return {c: one.get(c, 0.0) + other.get(c, 0.0) for c in (*one, *other)}


def wish(name: str, amount: float, unit: str, price: float) -> dict[str, Any]:
    """One wish as a plan lists it."""
    return {"requirement": name, "amount": amount, "unit": unit, "price": price, "sentence": f"{name} gives way"}


def devices(program: Any, problem: dict[str, Any], grid: Any, flows: Any) -> None:
    """Columns for what batteries and generators give beside the plan in force."""
    for _, price, said, slot in _published(problem, grid, flows):
        for t, value in enumerate(said):
            away = program.column(0.0, cost=grid.hours * price)
            program.row({**slot[t], away: -1.0}, high=value)
            program.row({**slot[t], away: 1.0}, low=value)


def told_devices(problem: dict[str, Any], grid: Any, flows: Any, x: Any) -> list[dict[str, Any]]:
    """Every priced change of a battery or a generator in a solution."""
    found = []
    for name, price, said, slot in _published(problem, grid, flows):
        given = [sum(factor * float(x[c]) for c, factor in slot[t].items()) for t in range(len(said))]
        away = grid.hours * sum(abs(g - value) for g, value in zip(given, said, strict=True))
        found.append(wish(f"{name}/moved", away, "MWh", price))
    return found


def _published(problem: dict[str, Any], grid: Any, flows: Any) -> list[tuple[str, float, list[float], list[Linear]]]:
    asked = problem.get("stability")
    if asked is None:
        return []
    slots = range(max(0, min(grid.slots, grid.slot(asked["until"]))))
    found = []
    for k, b in enumerate(problem.get("batteries", [])):
        flow = [{flows.discharge[t][k]: 1.0, flows.charge[t][k]: -1.0} for t in slots]
        found.append((f"battery:{b['name']}", b, flow))
    for g, out in zip(problem.get("generators", []), flows.made, strict=True):
        found.append((f"generator:{g['name']}", g, [{out[t]: 1.0} for t in slots]))
    return [
        (name, d["moved_cost_per_mwh"], d["published_mw"][: len(slots)], flow)
        for name, d, flow in found
        if d.get("published_mw") is not None and d.get("moved_cost_per_mwh", 0.0) > 0
    ]
