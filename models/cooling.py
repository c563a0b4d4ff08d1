"""Heat to electric power of a cooling plant, as the convex straight pieces that a plan can use.

Pure functions of arrays. A side removes its share of the heat by a compressor whose COP is a fixed share
of Carnot's between evaporation and condensation, as far as the ambient does not cool for nothing, and by
fans and pumps that follow the cube of the flow above a floor. For a given ambient the electric power is
convex in the heat, so the largest of a few tangents is a close lower line of it; the error is stated.

Sources: Carnot-fraction COP as in textbook practice (share 0.45, 3 K and 12 K lifts, clipped at 10);
cube law of fans and pumps (affinity laws); temperatures of ASHRAE TC9.9 (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.cooling_plant import CoolingMachine, CoolingPlant, CoolingUnit

Array = NDArray[np.float64]
Curve = Callable[[Array], tuple[Array, Array]]
"""Electric MW and its slope, at heat in MW."""
_KELVIN = 273.15


def carnot_cop(supply_c: ArrayLike, ambient_c: ArrayLike, side: CoolingMachine) -> Array:
    """COP of a compressor: a share of Carnot's, clipped to ``side.cop_top``.

    ``supply_c`` and ``ambient_c`` in degC, broadcast against each other; the temperature lift counts as
    at least 5 K.
    """
    cold = np.asarray(supply_c, float) - side.evaporator_k
    lift = np.maximum(5.0, np.asarray(ambient_c, float) + side.condenser_k - cold)
    return np.minimum(side.cop_top, side.carnot_share * (cold + _KELVIN) / lift)


def free_share(ambient_c: ArrayLike, side: CoolingMachine) -> Array:
    """Share of the heat that the ambient takes without a compressor, 0..1.

    Whole where ambient + approach reaches the supply temperature, none at the return temperature,
    straight between.
    """
    reach = np.asarray(ambient_c, float) + side.approach_k
    return np.clip((side.supply_c + side.rise_k - reach) / side.rise_k, 0.0, 1.0)


def capacity_mw(ambient_c: ArrayLike, side: CoolingMachine) -> Array:
    """Heat in MW that a side can remove, by ambient in degC."""
    below = side.design_ambient_c - np.asarray(ambient_c, float)
    slope = np.where(below >= 0, side.capacity_gain_per_k, side.capacity_loss_per_k)
    return side.rated_heat_mw * np.clip(1 + slope * below, 0.0, side.capacity_top)


def ambient_c(side: CoolingMachine, dry_bulb_c: ArrayLike, wet_bulb_c: ArrayLike) -> Array:
    """The temperature that counts for a side: wet bulb for towers, dry bulb for the rest."""
    return np.asarray(wet_bulb_c if side.wet else dry_bulb_c, float)


def side_power_mw(heat_mw: ArrayLike, ambient: ArrayLike, side: CoolingMachine) -> Array:
    """Electric MW of one side for ``heat_mw`` of its own heat at ``ambient`` degC."""
    return _power(np.asarray(heat_mw, float), np.asarray(ambient, float), side)[0]


def plant_power_mw(heat_mw: ArrayLike, dry_bulb_c: ArrayLike, wet_bulb_c: ArrayLike, plant: CoolingPlant) -> Array:
    """Electric MW of the whole plant for the site's ``heat_mw``; shapes broadcast."""
    return _plant(np.asarray(heat_mw, float), dry_bulb_c, wet_bulb_c, plant)[0]


def plant_capacity_mw(dry_bulb_c: ArrayLike, wet_bulb_c: ArrayLike, plant: CoolingPlant) -> Array:
    """Largest heat of the site in MW: where the first side reaches its own capacity."""
    limits = [
        capacity_mw(ambient_c(side, dry_bulb_c, wet_bulb_c), side) / max(side.heat_share, 1e-9) for side in plant.sides
    ]
    return np.asarray(np.min(limits, axis=0), float)


@dataclass(frozen=True, slots=True)
class Tangents:
    """Straight pieces of the electric power over heat, per slot.

    ``slope`` and ``intercept_mw`` are (pieces, slots); ``capacity_heat_mw`` and ``error_mw`` are (slots,).
    ``error_mw`` is the most by which the true power exceeds the largest piece between 0 and capacity; the
    pieces never exceed the true power.
    """

    slope: Array
    intercept_mw: Array
    capacity_heat_mw: Array
    error_mw: Array


def tangents(plant: CoolingPlant, dry_bulb_c: ArrayLike, wet_bulb_c: ArrayLike) -> Tangents:
    """Tangents of the plant's power for each slot's ambient; ``plant.tangents`` pieces.

    The first touches at no heat, where fans idle at their floor; the others are spread up to capacity.
    """
    dry = np.atleast_1d(np.asarray(dry_bulb_c, float))
    wet = np.atleast_1d(np.asarray(wet_bulb_c, float))
    capacity = plant_capacity_mw(dry, wet, plant)
    floor = min(side.fan_floor for side in plant.sides)
    return _tangents(lambda heat: _plant(heat, dry, wet, plant), capacity, floor, plant.tangents)


def unit_tangents(unit: CoolingUnit, dry_bulb_c: ArrayLike, wet_bulb_c: ArrayLike, pieces: int) -> Tangents:
    """The same of one unit at its own heat; that free cooling alone has a smaller capacity is not in it."""
    ambient = np.atleast_1d(ambient_c(unit, dry_bulb_c, wet_bulb_c))
    runs = unit.model_copy(update={"kind": "dry-cooler"}) if unit.free_only else unit
    return _tangents(lambda heat: _power(heat, ambient, runs), capacity_mw(ambient, unit), unit.fan_floor, pieces)


def _tangents(curve: Curve, capacity: Array, floor: float, pieces: int) -> Tangents:
    """Pieces of a convex curve: one at no heat, the others from the floor of the fans up to capacity."""
    share = np.concatenate([[0.0], np.linspace(floor, 1.0, pieces)[1:]])
    touch = share[:, None] * capacity[None, :]
    power, slope = curve(touch)
    intercept = power - slope * touch
    # The curve less a straight piece is convex, so it is largest where pieces meet, or at the ends.
    bend = np.diff(slope, axis=0)
    meet = np.where(bend > 1e-12, -np.diff(intercept, axis=0) / np.maximum(bend, 1e-12), 0.0)
    looked = np.clip(np.concatenate([meet, touch[[0, -1]]]), 0.0, capacity)
    line = (slope[:, None, :] * looked[None] + intercept[:, None, :]).max(axis=0)
    error = (curve(looked)[0] - line).max(axis=0)
    return Tangents(slope, intercept, capacity, np.maximum(error, 0.0))


def hall_air_c(heat_mw: ArrayLike, step_min: float, plant: CoolingPlant, start_c: float | None = None) -> Array:
    """Air at the servers' inlets at the end of each slot, degC, from a plan's heat in MW (slots,).

    One resistance and one capacity: the steady state lies above the set-point by a rise that grows with
    the air side's load, and the air moves there with the hall's time constant. For display; a plan keeps the
    heat within capacity. ``start_c`` None: the steady state of slot 0.
    """
    if plant.air is None:
        return np.full(np.shape(np.asarray(heat_mw)), plant.hall.setpoint_c)
    load = np.asarray(heat_mw, float) * plant.air.heat_share / plant.air.rated_heat_mw
    return _follow(
        plant.hall.setpoint_c + plant.hall.rise_at_rated_k * load, step_min, plant.hall.time_constant_min, start_c
    )


def loop_supply_c(
    heat_mw: ArrayLike,
    dry_bulb_c: ArrayLike,
    wet_bulb_c: ArrayLike,
    step_min: float,
    plant: CoolingPlant,
    start_c: float | None = None,
) -> Array:
    """Liquid supply at the end of each slot, degC.

    A side with a compressor holds its set-point; a dry cooler floats above it where ambient and approach
    (in proportion to its load) reach higher. Shapes (slots,). For display.

    Raises:
        ValueError: the plant has no liquid side.
    """
    side = plant.liquid
    if side is None:
        raise ValueError("this plant has no liquid side")
    load = np.asarray(heat_mw, float) * side.heat_share / side.rated_heat_mw
    steady = np.full(load.shape, side.supply_c)
    if side.kind == "dry-cooler":
        steady = np.maximum(steady, ambient_c(side, dry_bulb_c, wet_bulb_c) + side.approach_k * load)
    return _follow(steady, step_min, plant.loop.time_constant_min, start_c)


def _follow(steady: Array, step_min: float, tau_min: float, start_c: float | None) -> Array:
    keep = float(np.exp(-step_min / tau_min))
    now = float(steady[0]) if start_c is None else start_c
    out = np.empty_like(steady)
    for k, goal in enumerate(steady):
        now = float(goal) + (now - float(goal)) * keep
        out[k] = now
    return out


def _power(heat: Array, ambient: Array, side: CoolingMachine) -> tuple[Array, Array]:
    """Electric MW of a side and its slope over its own heat."""
    compress = np.zeros(np.broadcast(heat, ambient).shape)
    if side.kind != "dry-cooler":
        compress = compress + (1 - free_share(ambient, side)) / carnot_cop(side.supply_c, ambient, side)
    rated = side.fan_w_per_kw * side.rated_heat_mw / 1000
    moving = 1 - side.fan_fixed_share
    able = np.maximum(capacity_mw(ambient, side), 1e-9)
    flow = heat / able
    turning = np.maximum(flow, side.fan_floor)
    fans = rated * (side.fan_fixed_share + moving * turning**side.fan_exponent)
    fan_slope = np.where(
        flow > side.fan_floor, rated * moving * side.fan_exponent * turning ** (side.fan_exponent - 1) / able, 0.0
    )
    return compress * heat + fans, compress + fan_slope


def _plant(heat: Array, dry: ArrayLike, wet: ArrayLike, plant: CoolingPlant) -> tuple[Array, Array]:
    parts = [_power(side.heat_share * heat, ambient_c(side, dry, wet), side) for side in plant.sides]
    return np.sum([p for p, _ in parts], axis=0), np.sum(
        [s * side.heat_share for (_, s), side in zip(parts, plant.sides, strict=True)], axis=0
    )
