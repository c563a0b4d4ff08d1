"""Air and liquid of a simulated site: what the cooling plant removes, what it draws, and where temperatures go.

While capacity suffices, air and loop go to where :mod:`models.cooling` has them, with their time constants; heat that
the plant cannot remove warms them. Hall air alone would rise by some 10 K a minute at 0.2 kW/m3 and steel and walls
slow that three to ten times (physics of a room: C dT/dt = Q_in - Q_out); the rates below are *assumed* within that.
"""

from __future__ import annotations

from typing import NamedTuple

from models.cooling import ambient_c, capacity_mw, side_power_mw
from models.cooling_plant import CoolingPlant, CoolingSide
from models.plant.nature import Air

HALL_K_PER_MIN = 2.0
"""Rise of the hall's air at the air side's rated heat with no cooling at all."""
LOOP_K_PER_MIN = 6.0
"""The same of the liquid loop (some 3 l/kW of liquid)."""
ROOM_C = 22.0
"""Hall of a site without a cooling plant in its file: somebody else cools it."""
THROTTLE_SPAN_K = 5.0
TRIP_K = 10.0
"""Above the allowable temperature: GPUs are at their least power after the span, servers switch off beyond the trip."""


class Rooms(NamedTuple):
    """Temperatures at an instant, degC."""

    hall_c: float
    loop_c: float


class Cooled(NamedTuple):
    """What a step of cooling came to: MW of heat removed, electric MW, and the share of capacity in use."""

    rooms: Rooms
    removed_mw: float
    power_mw: float
    load_ratio: float


def at_rest(plant: CoolingPlant | None) -> Rooms:
    """Rooms of a plant that has had an easy night."""
    if plant is None:
        return Rooms(ROOM_C, ROOM_C)
    return Rooms(plant.hall.setpoint_c, plant.hall.setpoint_c if plant.liquid is None else plant.liquid.supply_c)


def cooled(
    plant: CoolingPlant | None, rooms: Rooms, heat_mw: float, air: Air, works_share: float, minutes: float
) -> Cooled:
    """Rooms after ``minutes`` with ``heat_mw``; ``works_share`` of each side's capacity is there.

    Explicit Euler: keep ``minutes`` well below the shortest time constant (loops have 4 min).
    """
    if plant is None:
        return Cooled(rooms, 0.0, 0.0, 0.0)
    hall, loop = rooms
    removed = power = load = 0.0
    air_side = plant.air_like
    if air_side is not None:
        share = heat_mw * air_side.heat_share
        steady = plant.hall.setpoint_c + plant.hall.rise_at_rated_k * share / air_side.rated_heat_mw
        moved = _moved(air_side, share, hall - steady, plant.hall.time_constant_min, HALL_K_PER_MIN, air, works_share)
        hall += (share - moved.removed_mw) * HALL_K_PER_MIN / air_side.rated_heat_mw * minutes
        removed, power, load = moved.removed_mw, moved.power_mw, moved.load_ratio
    if plant.liquid is not None:
        side = plant.liquid
        share = heat_mw * side.heat_share
        floats = side.kind == "dry-cooler"
        ambient = float(ambient_c(side, air.dry_bulb_c, air.wet_bulb_c))
        steady = max(side.supply_c, ambient + side.approach_k * share / side.rated_heat_mw) if floats else side.supply_c
        moved = _moved(side, share, loop - steady, plant.loop.time_constant_min, LOOP_K_PER_MIN, air, works_share)
        loop += (share - moved.removed_mw) * LOOP_K_PER_MIN / side.rated_heat_mw * minutes
        removed, power, load = removed + moved.removed_mw, power + moved.power_mw, max(load, moved.load_ratio)
    return Cooled(Rooms(hall, loop), removed, power, load)


class _Moved(NamedTuple):
    removed_mw: float
    power_mw: float
    load_ratio: float


def _moved(
    side: CoolingSide, heat_mw: float, above_k: float, tau_min: float, k_per_min: float, air: Air, works_share: float
) -> _Moved:
    """Heat that a side removes to bring its room back to the steady temperature, as far as its capacity goes."""
    ambient = float(ambient_c(side, air.dry_bulb_c, air.wet_bulb_c))
    able = float(capacity_mw(ambient, side)) * works_share
    wanted = heat_mw + above_k / tau_min * side.rated_heat_mw / k_per_min
    removed = min(max(0.0, wanted), able)
    power = float(side_power_mw(removed, ambient, side)) if works_share > 0 else 0.0
    return _Moved(removed, power, removed / able if able > 0 else 0.0)


def heat_share(plant: CoolingPlant | None, rooms: Rooms) -> float:
    """How far GPUs may leave their least power at these temperatures: 1 wholly, 0 not at all."""
    if plant is None:
        return 1.0
    over = _over(plant, rooms)
    return min(1.0, max(0.0, 1 - over / THROTTLE_SPAN_K))


def trips(plant: CoolingPlant | None, rooms: Rooms, tripped: bool) -> bool:
    """Whether servers protect themselves: beyond the trip, and until the recommended temperature is back."""
    if plant is None:
        return False
    if tripped:
        return rooms.hall_c > plant.hall.recommended_c or (
            plant.liquid is not None and rooms.loop_c > max(plant.loop.recommended_c, plant.liquid.supply_c + 1)
        )
    return _over(plant, rooms) > TRIP_K


def _over(plant: CoolingPlant, rooms: Rooms) -> float:
    over = rooms.hall_c - plant.hall.allowable_c if plant.air_like is not None else 0.0
    return max(over, rooms.loop_c - plant.loop.allowable_c) if plant.liquid is not None else over
