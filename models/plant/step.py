"""One step of a simulated site: orders and weather in, flows out, energy kept to the last watt-hour.

Devices obey as far as physics lets them: heat throttles GPUs, batteries stop at their limits. The site's own
controls come before any plan: what the grid cannot give is taken from the batteries, down to the reserve and into it;
then caps fall to their least and jobs stop; what the grid cannot take is charged, then curtailed. Powers MW.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from models.horizon import Horizon
from models.plant.nature import Air
from models.plant.orders import Orders
from models.plant.rooms import Cooled, Rooms, at_rest, cooled, heat_share, trips
from models.plant.scenarios import Works
from models.plant.work import Load, Machines, Shown, with_caps_at
from models.site import Site

MOST_STEP_S = 60.0
_HALVINGS = 20
_DIE_K_PER_W, _DIE_S = 0.055, 25.0
"""Die above inlet air (700 W at 24 degC give some 62 degC), and how fast it gets there. Assumed."""


@dataclass(frozen=True, slots=True)
class PlantState:
    """What a step hands to the next. ``work_h``: hours at full speed done by each job that has orders.

    ``gpu_j`` counts, per pool, the energy of a GPU of the node whose telemetry is shown; ``gpu_c`` is its die.
    """

    at: datetime
    soc_mwh: Mapping[str, float]
    rooms: Rooms
    tripped: bool = False
    import_mwh: float = 0.0
    export_mwh: float = 0.0
    work_h: Mapping[str, float] = field(default_factory=dict)
    gpu_j: Mapping[str, float] = field(default_factory=dict)
    gpu_c: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flows:
    """MW during a step. ``battery_mw`` is charging positive; ``dark_mw`` is load that nothing could feed."""

    pools_mw: Mapping[str, float]
    it_mw: float
    cooling_mw: float
    base_mw: float
    pv_mw: float
    wind_mw: float
    battery_mw: Mapping[str, float]
    import_mw: float
    export_mw: float
    dark_mw: float
    throttle: float
    cooling_ratio: float
    air: Air
    shown: Mapping[str, Shown]

    def surplus_mw(self, efficiency: float) -> float:
        """Sources less sinks; zero by construction."""
        sources = self.pv_mw + self.wind_mw + self.import_mw + self.dark_mw
        sinks = self.it_mw / efficiency + self.cooling_mw + self.base_mw + self.export_mw
        return sources - sinks - sum(self.battery_mw.values())


class Plant:
    """The physics of ``site``; holds nothing but what follows from the site file."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._machines = Machines(site)

    def at_rest(self, at: datetime, soc_mwh: Mapping[str, float] | None = None) -> PlantState:
        """A site that begins: batteries as the file assumes them, or as told."""
        told = soc_mwh or {}
        soc = {b.name: told.get(b.name, b.assumed_mwh) for b in self.site.batteries}
        return PlantState(at, soc, at_rest(self.site.cooling))

    def step(
        self, state: PlantState, orders: Orders, air: Air, works: Works, seconds: float
    ) -> tuple[PlantState, Flows]:
        """The site ``seconds`` later, and what flowed meanwhile.

        Raises:
            ValueError: a step of no length, or longer than :data:`MOST_STEP_S`.
        """
        if not 0 < seconds <= MOST_STEP_S:
            raise ValueError(f"a step of {seconds:g} s; take more than 0 and at most {MOST_STEP_S:g}")
        site, at = self.site, state.at
        loads = [self._machines.load(order, at) for order in orders.jobs]
        most = 0.0 if state.tripped else with_caps_at(heat_share(site.cooling, state.rooms))
        slot = Horizon(at, timedelta(hours=1), 1)
        base = site.base_load_mw(slot)[0]
        limit = site.import_limit_mw(slot)[0] * works.grid_share
        export_limit = site.grid.export_limit_mw * works.grid_share
        pv = air.pv_mw if orders.pv_most_mw is None else min(air.pv_mw, orders.pv_most_mw)
        wind = air.wind_mw if orders.wind_most_mw is None else min(air.wind_mw, orders.wind_most_mw)

        def cooling(it_mw: float) -> Cooled:
            heat = it_mw / site.distribution_efficiency
            return cooled(site.cooling, state.rooms, heat, air, works.cooling_share, seconds / 60)

        def demand(throttle: float) -> float:
            it = self._machines.it_mw(loads, throttle)
            return it / site.distribution_efficiency + cooling(it).power_mw + base

        battery = {
            b.name: self._battery(b.name, state, orders.battery_mw.get(b.name, 0.0), seconds) for b in site.batteries
        }
        most_out = sum(self._battery(b.name, state, -b.power_mw, seconds) for b in site.batteries)
        throttle = most
        if demand(throttle) > limit + pv + wind - most_out:
            throttle = _highest(lambda x: demand(x) <= limit + pv + wind - most_out, most)
        it = self._machines.it_mw(loads, throttle)
        cool = cooling(it)
        net = it / site.distribution_efficiency + cool.power_mw + base - pv - wind
        battery = self._balanced(battery, state, net, limit, export_limit, seconds)
        net += sum(battery.values())
        curtailed = max(0.0, -net - export_limit)
        spilt_pv = min(pv, curtailed)
        flows = Flows(
            pools_mw=self._machines.pools_mw(loads, throttle),
            it_mw=it,
            cooling_mw=cool.power_mw,
            base_mw=base,
            pv_mw=pv - spilt_pv,
            wind_mw=wind - (curtailed - spilt_pv),
            battery_mw=battery,
            import_mw=min(max(0.0, net), limit),
            export_mw=min(max(0.0, -net), export_limit),
            dark_mw=max(0.0, net - limit),
            throttle=throttle,
            cooling_ratio=cool.load_ratio,
            air=air,
            shown=self._machines.shown(loads, throttle, at),
        )
        return self._after(state, loads, flows, cool.rooms, seconds), flows

    def _after(self, state: PlantState, loads: list[Load], flows: Flows, rooms: Rooms, seconds: float) -> PlantState:
        hours = seconds / 3600
        soc = {}
        for b in self.site.batteries:
            mw = flows.battery_mw[b.name]
            gained = mw * b.charge_efficiency if mw > 0 else mw / b.discharge_efficiency
            soc[b.name] = min(max(state.soc_mwh[b.name] + gained * hours, 0.0), b.energy_mwh)
        done = {
            load.order.id: state.work_h.get(load.order.id, 0.0) + load.speed(flows.throttle) * hours for load in loads
        }
        return replace(
            state,
            at=state.at + timedelta(seconds=seconds),
            soc_mwh=soc,
            rooms=rooms,
            tripped=trips(self.site.cooling, rooms, state.tripped),
            import_mwh=state.import_mwh + flows.import_mw * hours,
            export_mwh=state.export_mwh + flows.export_mw * hours,
            work_h=done,
            gpu_c={name: self._die_c(state, name, gpu.drawn_w, seconds) for name, gpu in flows.shown.items()},
            gpu_j={name: state.gpu_j.get(name, 0.0) + gpu.drawn_w * seconds for name, gpu in flows.shown.items()},
        )

    @staticmethod
    def _die_c(state: PlantState, pool: str, drawn_w: float, seconds: float) -> float:
        goal = state.rooms.hall_c + _DIE_K_PER_W * drawn_w
        return goal + (state.gpu_c.get(pool, goal) - goal) * math.exp(-seconds / _DIE_S)

    # ---- batteries

    def _battery(self, name: str, state: PlantState, wanted_mw: float, seconds: float) -> float:
        """MW that a battery can do for a whole step, as near to ``wanted_mw`` as it gets."""
        battery = next(b for b in self.site.batteries if b.name == name)
        hours = seconds / 3600
        room = max(0.0, battery.top_mwh - state.soc_mwh[name]) / battery.charge_efficiency / hours
        left = max(0.0, state.soc_mwh[name] - battery.soc_min_mwh) * battery.discharge_efficiency / hours
        return min(max(wanted_mw, -min(battery.power_mw, left)), min(battery.power_mw, room))

    def _balanced(
        self,
        battery: dict[str, float],
        state: PlantState,
        net_mw: float,
        limit: float,
        export_limit: float,
        seconds: float,
    ) -> dict[str, float]:
        """Batteries moved from their orders as far as grid limits need it."""
        found = dict(battery)
        for b in self.site.batteries:
            over = net_mw + sum(found.values())
            if over > limit:
                found[b.name] = self._battery(b.name, state, found[b.name] - (over - limit), seconds)
            elif over < -export_limit:
                found[b.name] = self._battery(b.name, state, found[b.name] + (-over - export_limit), seconds)
        return found


def _highest(fits: Callable[[float], bool], most: float) -> float:
    """Highest throttle up to ``most`` that fits; 0 where none does."""
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
