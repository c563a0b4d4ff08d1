"""Heat that halls, loops and a tank can hold for a while: what the plant removes need not be what is made.

To the rest of the planner they are one store of electricity: what the plant draws more than its curve at the
slot's heat goes in, what it draws less comes out. What it removes from each of them stands beside (:class:`Removal`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer import document
from optimizer.devices import Battery
from optimizer.plant import Cooling

Floats = NDArray[np.float64]
Row = Callable[..., Floats]

NAME = "held cold"
"""Name of all that is held among the stores; no device of a document can have it."""

ALONE = "thermal mass"
"""Name of a site's one mass, which has none in the document."""


@dataclass(frozen=True, eq=False)
class Mass:
    """``T[t] = kept * T[t-1] + drift[t] + per_heat * (entering[t] - removed[t])`` at the end of slot t, degC.

    What enters is ``share`` of the site's heat and, where pools say otherwise of theirs, ``apart`` of each pool's heat
    more (or less). ``wish`` and ``place`` are the id of its wish and where the document states it.
    """

    name: str
    label: str
    wish: str
    place: str
    share: float
    apart: Floats
    start_c: float
    lowest_c: float
    allowable_c: float
    recommended_c: float | None
    cost: float
    kept: float
    drift: Floats
    per_heat: float
    most_change: float | None
    end_most_c: float

    @property
    def alone(self) -> bool:
        """Whether it is the one mass of a site, which has no name in the documents."""
        return self.name == ALONE

    def after(self, warm: float, t: int, entering: float, removed: float) -> float:
        """Temperature at the end of a slot that began at ``warm``."""
        return self.kept * warm + float(self.drift[t]) + self.per_heat * (entering - removed)

    def temperature(self, entering: Floats, removed: Floats) -> Floats:
        """Temperature at the end of each slot, of the heat that enters this mass and what is removed from it."""
        found, now = np.zeros_like(entering), self.start_c
        for t in range(len(entering)):
            found[t] = now = self.after(now, t, float(entering[t]), float(removed[t]))
        return found

    def to_hold(self, warm: float, t: int, entering: float) -> float:
        """Removal that keeps it as it began, or leads it to what is asked as fast as it may move."""
        target = min(
            self.start_c, self.end_most_c, self.allowable_c if self.recommended_c is None else self.recommended_c
        )
        target = target if self.most_change is None else max(target, warm - self.most_change)
        return max(0.0, (self.after(warm, t, entering, 0.0) - target) / self.per_heat)


@dataclass(frozen=True)
class Tank:
    """Cold water: ``stored[t] = kept * stored[t-1] + h * into[t]``, into it between ``-draw`` and ``fill``."""

    most: float
    fill: float
    draw: float
    start: float
    end_least: float
    kept: float

    def to_hold(self, stock: float, step_h: float) -> float:
        """What keeps it as full as it began or fills it to what is asked; nothing where nothing is."""
        target = max(self.start, self.end_least) if self.end_least > 0 else 0.0
        return min(max(0.0, (target - self.kept * stock) / step_h), self.fill)

    def stored(self, into: Floats, step_h: float) -> Floats:
        """Heat that it could still take up at the end of each slot."""
        found, now = np.zeros_like(into), self.start
        for t in range(len(into)):
            now = self.kept * now + step_h * into[t]
            found[t] = now
        return found


@dataclass(frozen=True, eq=False)
class Removal:
    """Heat that enters and leaves each mass in every slot, by name, and what of the plant's work goes into the tank."""

    entering: dict[str, Floats]
    by_mass: dict[str, Floats]
    into_tank: Floats


@dataclass(frozen=True, eq=False)
class Cold:
    """All masses and the tank. ``most_removed`` bounds what the plant can remove, whose curve ``cooling`` has."""

    masses: tuple[Mass, ...]
    tank: Tank | None
    most_removed: Floats
    cooling: Cooling

    @property
    def rest(self) -> float:
        """Share of the site's heat that enters no mass."""
        return _left(sum(m.share for m in self.masses))

    @property
    def rest_apart(self) -> Floats:
        """Share of each pool's heat that enters no mass, beyond :attr:`rest`."""
        return -np.sum([m.apart for m in self.masses], axis=0) if self.masses else np.zeros(0)

    def entering(self, heat: Floats, pools: Floats) -> dict[str, Floats]:
        """Heat that enters each mass, of the site's ``[slot]`` and of each pool's ``[pool, slot]``."""
        return {m.name: m.share * heat + m.apart @ pools for m in self.masses}

    def plant(self, heat: Floats, removal: Removal) -> Floats:
        """Heat that the plant removes: from the masses, at once, and for the tank."""
        found: Floats = self.at_once(heat, removal.entering) + removal.into_tank
        for taken in removal.by_mass.values():
            found = found + taken
        return found

    def at_once(self, heat: Floats, entering: dict[str, Floats]) -> Floats:
        """Heat that enters no mass and is removed as it is made."""
        found: Floats = heat - np.sum([np.zeros_like(heat), *entering.values()], axis=0)
        return np.where(found > 1e-12 * np.maximum(heat, 1.0), found, 0.0)

    def steady(self, heat: Floats, entering: dict[str, Floats], step_h: float) -> Removal:
        """Removal by rule, without a solver: each mass as warm as it began or cooler if asked, the tank as full.

        Where the plant cannot remove that much, the tank goes without first and then the masses get warmer.
        """
        by_mass, into = {m.name: np.zeros_like(heat) for m in self.masses}, np.zeros_like(heat)
        warm, stock = {m.name: m.start_c for m in self.masses}, 0.0 if self.tank is None else self.tank.start
        at_once = self.at_once(heat, entering)
        for t in range(len(heat)):
            wanted = {m.name: m.to_hold(warm[m.name], t, float(entering[m.name][t])) for m in self.masses}
            total = sum(wanted.values())
            room = max(0.0, float(self.most_removed[t] - at_once[t]))
            share = min(1.0, room / total) if total > 0 else 1.0
            for m in self.masses:
                by_mass[m.name][t] = share * wanted[m.name]
                warm[m.name] = m.after(warm[m.name], t, float(entering[m.name][t]), share * wanted[m.name])
            if self.tank is not None:
                into[t] = min(self.tank.to_hold(stock, step_h), max(0.0, room - total))
                stock = self.tank.kept * stock + step_h * into[t]
        return Removal(entering, by_mass, into)


def _left(shares: float) -> float:
    return 1.0 - shares if 1.0 - shares > 1e-12 else 0.0


def as_flows(more: Floats, step_h: float) -> tuple[Floats, Floats, Floats]:
    """What the plant draws more than at the slot's own heat, as charge, discharge and stock of the store."""
    return np.maximum(more, 0.0), np.maximum(-more, 0.0), step_h * np.cumsum(more)


def cold(doc: document.Problem, plant: Cooling | None, row: Row, unit: float, step_h: float) -> Cold | None:
    """Masses and tank of a document's cooling; None where nothing holds heat."""
    cooling = doc.cooling
    if cooling is None or plant is None or plant.capacity is None or not cooling.holds_heat:
        return None
    none = np.zeros(len(doc.pools))
    masses = [
        _mass(m, ALONE, 1.0, none, "cooling/recommended", "/cooling/mass", row, unit, step_h) for m in cooling.alone
    ]
    for k, m in enumerate(cooling.masses):
        place, apart = f"/cooling/masses/{k}", np.array([_apart(p, m) for p in doc.pools])
        masses.append(_mass(m, m.name, m.heat_share, apart, f"mass:{m.name}/recommended", place, row, unit, step_h))
    return Cold(
        masses=tuple(masses),
        tank=None if cooling.tank is None else _tank(cooling.tank, unit),
        most_removed=plant.capacity,
        cooling=plant,
    )


def _apart(pool: document.Pool, m: document.NamedMass) -> float:
    """What more of a pool's heat enters a mass than of the site's."""
    return 0.0 if pool.heat_shares is None else pool.heat_shares.get(m.name, 0.0) - m.heat_share


def _mass(
    m: document.ThermalMass,
    name: str,
    share: float,
    apart: Floats,
    wish: str,
    place: str,
    row: Row,
    unit: float,
    step_h: float,
) -> Mass:
    around = row(m.start_c if m.surroundings_c is None else m.surroundings_c)
    return Mass(
        name=name,
        label=f"the {name}" if name == ALONE else f"thermal mass {name}",
        wish=wish,
        place=place,
        share=share,
        apart=apart,
        start_c=m.start_c,
        lowest_c=m.lowest_c,
        allowable_c=m.allowable_c,
        recommended_c=m.recommended_c,
        cost=m.above_recommended_cost_per_k_h,
        kept=m.kept_share,
        drift=(1.0 - m.kept_share) * around,
        per_heat=step_h * unit / m.mwh_per_k,
        most_change=m.most_change_k_per_slot,
        end_most_c=m.allowable_c if m.end_most_c is None else m.end_most_c,
    )


def _tank(tank: document.Tank, unit: float) -> Tank:
    return Tank(
        most=tank.energy_mwh / unit,
        fill=tank.fill_mw / unit,
        draw=tank.draw_mw / unit,
        start=tank.start_mwh / unit,
        end_least=tank.end_min_mwh / unit,
        kept=tank.kept_share,
    )


def store(c: Cold, step_h: float, most_heat: float) -> Battery:
    """All that is held as a store of electricity whose stock never binds; temperatures and the tank do.

    ``most_heat`` is what no slot exceeds: with a mass it may be more than the plant removes.
    """
    most = np.maximum(*(c.cooling.power(heat) for heat in (c.most_removed, np.full_like(c.most_removed, most_heat))))
    power = float(most.max(initial=0.0))
    room = step_h * power * len(most)
    return Battery(
        name=NAME,
        power=power,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        soc_start=room,
        soc_min=0.0,
        soc_max=2 * room,
        soc_end_min=0.0,
        kind="cold",
        most_in=np.full(len(most), power),
        most_out=np.full(len(most), power),
        out_cost=np.zeros_like(most),
        reserve=np.zeros_like(most),
    )
