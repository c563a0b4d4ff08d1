"""What holds heat or cold for a while at a site: masses such as a hall's air or a liquid loop, and a tank.

Data only. Temperatures degC, energies MWh of heat.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from models.checking import Above0, AtLeast0, Celsius, Checked, Fraction, Name, Text
from models.errors import Fault
from models.telemetry import MetricName


class Mass(Checked):
    """Heat that hall and loop hold, so that the plant may remove it earlier or later than it is made."""

    mwh_per_k: Above0
    assumed_c: Celsius = Field(description="until telemetry or the plan before tells")
    lowest_c: Celsius
    allowable_c: Celsius
    recommended_c: Celsius | None = None
    above_recommended_cost_per_k_h: AtLeast0 = 0.0
    most_change_k_per_h: Above0 | None = None
    end_most_c: Celsius | None = Field(None, description="at the end of a horizon; none: allowable_c")
    time_constant_h: Above0 | None = Field(
        None, description="after which a third of the distance to surroundings_c is left; none: it loses nothing"
    )
    surroundings_c: Celsius | None = Field(None, description="none: assumed_c")
    metric: MetricName = Field("mass.temperature_c", description="that tells its temperature")
    asset: Name | None = Field(None, description="tag of that metric; none: the mass's own name")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """Temperatures outside their limits."""
        for key in ("assumed_c", "recommended_c", "end_most_c"):
            value: float | None = getattr(self, key)
            if value is not None and not self.lowest_c <= value <= self.allowable_c:
                message = f"{value:g} degC is outside {self.lowest_c:g} to {self.allowable_c:g}; move it inside"
                yield Fault(key, "outside_limits", message)
        if self.surroundings_c is not None and self.time_constant_h is None:
            message = "without time_constant_h nothing drifts to it; give that too, or leave it out"
            yield Fault("surroundings_c", "unused", message)


class NamedMass(Mass):
    """One of several masses, such as a hall's air and a liquid loop."""

    name: Name
    heat_share: Fraction = Field(
        description="of the site's heat, but of pools with heat_shares; what all shares leave is removed as it is made"
    )


class Tank(Checked):
    """Chilled water: cold is put into it and taken out of it beside what the plant removes."""

    energy_mwh: Above0 = Field(description="heat that it takes up when it is full of cold")
    fill_mw: AtLeast0
    draw_mw: AtLeast0
    assumed_mwh: AtLeast0 = Field(description="until telemetry or the plan before tells")
    end_min_mwh: AtLeast0 = Field(
        0.0, description="at the end of a horizon, at least; what filling all day does not reach is not asked"
    )
    loss_share_per_h: Fraction = Field(0.0, description="of what is stored, lost in an hour")
    metric: MetricName = Field("tank.stored_mwh", description="that tells what it holds")
    asset: Name = Field("tank", description="tag of that metric")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """More in it than it holds; nothing left of it after an hour."""
        for key in ("assumed_mwh", "end_min_mwh"):
            value: float = getattr(self, key)
            if value > self.energy_mwh:
                yield Fault(key, "too_high", f"{value:g} MWh is above energy_mwh {self.energy_mwh:g}; lower it")
        if self.loss_share_per_h >= 1:
            yield Fault(
                "loss_share_per_h", "too_high", "1 leaves nothing after an hour; lower it, or leave the tank out"
            )
