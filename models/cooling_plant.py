"""A cooling plant as data: which part of the heat goes to air, which to liquid, and what each side can do.

The physics that turns this into electric power is :mod:`models.cooling`. Temperatures degC, powers MW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from models.checking import (
    Above0,
    AtLeast0,
    Celsius,
    Checked,
    Evidence,
    Flag,
    Fraction,
    Name,
    Number,
    Share,
    Text,
    Whole,
)
from models.errors import Fault
from models.held_heat import Mass, NamedMass, Tank
from models.site_asks import Maintenance, Water

Kind = Literal["air-cooled-chiller", "water-cooled-chiller", "dry-cooler"]


class CoolingMachine(Checked):
    """What removes heat. What a site file leaves out comes from the cooling catalogue's row ``model``."""

    model: Name | None = Field(None, description="row of the cooling catalogue that fills what is left out")
    kind: Kind
    supply_c: Celsius = Field(description="water or loop supply temperature that the plant holds")
    rise_k: Above0 = Field(description="return minus supply at rated heat")
    rated_heat_mw: Above0 = Field(description="heat it removes at design_ambient_c")
    design_ambient_c: Celsius
    capacity_loss_per_k: AtLeast0 = Field(description="share of rated_heat_mw lost per K above the design ambient")
    capacity_gain_per_k: AtLeast0 = Field(description="share gained per K below it")
    capacity_top: Above0 = Field(description="most of rated_heat_mw that is ever counted on")
    carnot_share: Share = Field(description="of the Carnot COP that the compressor reaches")
    evaporator_k: AtLeast0 = Field(description="evaporation below the supply temperature")
    condenser_k: AtLeast0 = Field(description="condensation above the ambient that counts (dry or wet bulb)")
    cop_top: Above0 = Field(description="COP is clipped here")
    approach_k: AtLeast0 = Field(description="free cooling is whole where ambient + approach <= supply")
    fan_w_per_kw: AtLeast0 = Field(description="W of fans and pumps per kW of heat at rated heat")
    fan_exponent: Number = Field(3.0, ge=1, le=3)
    fan_floor: Fraction = Field(0.3, description="lowest speed of fans and pumps, share of rated")
    fan_fixed_share: Fraction = Field(
        0.0, description="of the fan and pump power that does not follow the heat (always-on pumps, controls)"
    )
    evidence: Evidence
    source: Text = Field(min_length=1)

    @property
    def wet(self) -> bool:
        """Whether it rejects heat to the wet bulb."""
        return self.kind == "water-cooled-chiller"


class CoolingSide(CoolingMachine):
    """One side of the plant, which removes a fixed share of the heat."""

    heat_share: Fraction = Field(description="of the heat; both sides together make 1")


class CoolingUnit(CoolingMachine):
    """One of several machines side by side: the heat is split so that their power in all is least."""

    name: Name
    free_only: Flag = Field(
        False, description="no compressor: removes heat as far as the ambient cools for nothing, by free_share"
    )
    maintenance: tuple[Maintenance, ...] = ()

    @property
    def full_below_c(self) -> float:
        """Ambient below which free cooling is whole."""
        return self.supply_c - self.approach_k

    @property
    def none_above_c(self) -> float:
        """Ambient above which the ambient cools nothing for nothing."""
        return self.full_below_c + self.rise_k


class HallLimits(Checked):
    """Temperatures of the hall's air, and how slowly they move (display of a plan)."""

    setpoint_c: Celsius = 24.0
    recommended_c: Celsius = Field(27.0, description="ASHRAE TC9.9 (2021), top of the recommended range")
    allowable_c: Celsius = Field(32.0, description="ASHRAE TC9.9 (2021), class A1")
    time_constant_min: Above0 = Field(12.0, description="of the hall's air and steel, 5 to 20 min")
    rise_at_rated_k: AtLeast0 = Field(4.0, description="mean air above supply at the air side's rated heat")


class LoopLimits(Checked):
    """Temperatures of the liquid loop."""

    recommended_c: Celsius = Field(40.0, description="ASHRAE TC9.9 class W40")
    allowable_c: Celsius = Field(45.0, description="ASHRAE TC9.9 class W45")
    time_constant_min: Above0 = 4.0


class CoolingPlant(Checked):
    """Air and liquid side of a site's cooling."""

    note: Text = ""
    air: CoolingSide | None = None
    liquid: CoolingSide | None = None
    hall: HallLimits = HallLimits()
    loop: LoopLimits = LoopLimits()
    water: Water | None = None
    mass: Mass | None = None
    masses: tuple[NamedMass, ...] = Field(
        (), description="several in the place of mass, each with its share of the heat"
    )
    tank: Tank | None = None
    units: tuple[CoolingUnit, ...] = Field((), description="machines side by side in the place of air and liquid")
    spare_units: Whole = Field(0, ge=0, description="how many of the largest may be lost in any slot (1: N-1)")
    learned: Flag = Field(False, description="plans take the COP learned by chergui learn plant, where one may serve")
    tangents: int = Field(4, ge=2, le=12, strict=True, description="straight pieces of the electric power over heat")

    @property
    def sides(self) -> tuple[CoolingSide, ...]:
        """The sides that exist; units as sides that share the heat by their rating."""
        whole = sum(unit.rated_heat_mw for unit in self.units)
        fields = CoolingMachine.model_fields
        alike = [
            CoolingSide.model_construct(
                heat_share=unit.rated_heat_mw / whole, **{name: getattr(unit, name) for name in fields}
            )
            for unit in self.units
        ]
        return tuple(alike) or tuple(side for side in (self.air, self.liquid) if side is not None)

    @property
    def air_like(self) -> CoolingSide | None:
        """The air side; of a plant of units one like their first with a compressor, as large as all of these."""
        working = [unit for unit in self.units if not unit.free_only]
        if not working:
            return self.air
        fields = {name: getattr(working[0], name) for name in CoolingMachine.model_fields}
        fields["rated_heat_mw"] = sum(unit.rated_heat_mw for unit in working)
        return CoolingSide.model_construct(heat_share=1.0, **fields)

    def faults(self) -> Iterable[Fault]:
        """Shares that do not make a whole, limits that contradict each other."""
        if not self.sides:
            message = "neither air nor liquid is there; add [cooling.air], [cooling.liquid] or [[cooling.units]]"
            yield Fault("", "no_side", message)
        elif self.units and (self.air is not None or self.liquid is not None):
            message = "units stand in the place of [cooling.air] and [cooling.liquid]; leave one of the two out"
            yield Fault("units", "units_and_sides", message)
        elif abs(sum(side.heat_share for side in self.sides) - 1) > 1e-9:
            whole = sum(side.heat_share for side in self.sides)
            yield Fault("", "shares_not_1", f"the heat shares of air and liquid make {whole:g}; they must make 1")
        if not self.hall.setpoint_c <= self.hall.recommended_c <= self.hall.allowable_c:
            yield Fault(
                "hall",
                "limits_out_of_order",
                f"set-point {self.hall.setpoint_c:g}, recommended {self.hall.recommended_c:g} and allowable "
                f"{self.hall.allowable_c:g} degC must rise",
            )
        yield from self._unit_faults()
        yield from self._mass_faults()

    def _unit_faults(self) -> Iterable[Fault]:
        """None left, or none that works on a hot day."""
        if self.spare_units and self.spare_units >= len(self.units):
            message = f"{self.spare_units} of {len(self.units)} units leave none; write fewer, or add units"
            yield Fault("spare_units", "too_high", message)
        if self.units and all(unit.free_only for unit in self.units):
            yield Fault("units", "free_only", "no unit works when it is warm outside; add one with a compressor")

    def _mass_faults(self) -> Iterable[Fault]:
        """Heat that is given away twice."""
        if self.mass is not None and self.masses:
            yield Fault("masses", "mass_twice", "mass takes all heat already; leave one of the two out")
        for k, mass in enumerate(self.masses):
            if mass.name in [other.name for other in self.masses[:k]]:
                yield Fault(f"masses[{k}].name", "duplicate_name", f"{mass.name!r} stands twice; rename one")
        whole = sum(mass.heat_share for mass in self.masses)
        if whole > 1 + 1e-9:
            yield Fault("masses", "shares_above_1", f"the heat shares make {whole:g}; lower them to 1 in all")
