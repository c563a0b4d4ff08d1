"""A cooling plant as data: which part of the heat goes to air, which to liquid, and what each side can do.

The physics that turns this into electric power is :mod:`models.cooling`. Temperatures degC, powers MW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from models.checking import Above0, AtLeast0, Celsius, Checked, Evidence, Flag, Fraction, Name, Number, Share, Text
from models.errors import Fault
from models.site_asks import Mass, Water

Kind = Literal["air-cooled-chiller", "water-cooled-chiller", "dry-cooler"]


class CoolingSide(Checked):
    """One side of the plant. What a site file leaves out comes from the cooling catalogue's row ``model``."""

    model: Name | None = Field(None, description="row of the cooling catalogue that fills what is left out")
    kind: Kind
    heat_share: Fraction = Field(description="of the heat; both sides together make 1")
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
    learned: Flag = Field(False, description="plans take the COP learned by chergui learn plant, where one may serve")
    tangents: int = Field(4, ge=2, le=12, strict=True, description="straight pieces of the electric power over heat")

    @property
    def sides(self) -> tuple[CoolingSide, ...]:
        """The sides that exist."""
        return tuple(side for side in (self.air, self.liquid) if side is not None)

    def faults(self) -> Iterable[Fault]:
        """Shares that do not make a whole, limits that contradict each other."""
        if not self.sides:
            yield Fault("", "no_side", "neither air nor liquid is there; add [cooling.air] or [cooling.liquid]")
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
