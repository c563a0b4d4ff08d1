"""What feeds a site: sun, wind, battery, grid, feeds. Data only; powers MW, energies MWh."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from models.checking import Above0, AtLeast0, Checked, Count, Fraction, Name, Number, Share, Text
from models.errors import Fault
from models.site_asks import Maintenance, Outage, Promise, Target
from models.tariff import DAYS, Day, Hour, Month


class Solar(Checked):
    """One PV field; :mod:`models.solar` turns weather into its MW."""

    name: Name
    peak_dc_mw: Above0 = Field(description="modules under standard test conditions")
    inverter_ac_mw: Above0
    tilt_deg: Number = Field(25.0, ge=0, le=90)
    azimuth_deg: Number = Field(180.0, ge=0, lt=360, description="180 = south")
    tracking: Literal["fixed", "single-axis"] = "fixed"
    temperature_coefficient_per_c: Number = Field(-0.0035, ge=-0.02, le=0)
    soiling_loss: Fraction = 0.03
    other_losses: Fraction = Field(0.08, description="cables, mismatch, transformer, availability")
    note: Text = ""


class Wind(Checked):
    """Identical turbines; :mod:`models.wind` turns weather into their MW."""

    name: Name
    turbine: Text = Field(description="type of the power curve, as windpowerlib spells it")
    count: Count
    rated_mw: Above0 = Field(description="of one turbine")
    hub_height_m: Above0
    roughness_m: Above0 = Field(0.03, description="of the ground: 0.0002 sea, 0.03 desert or grass, 0.4 suburb")
    availability: Share = 0.97
    wake_loss: Fraction = 0.08
    cut_out_m_s: Above0 = 25.0
    note: Text = ""


class Battery(Checked):
    """A battery as the contract knows it, plus the reserve that no plan may touch."""

    name: Name
    power_mw: Above0
    energy_mwh: Above0
    charge_efficiency: Share = 0.96
    discharge_efficiency: Share = 0.96
    soc_min_mwh: AtLeast0 = 0.0
    soc_max_mwh: Above0 | None = Field(None, description="none: energy_mwh")
    reserve_mwh: AtLeast0 = Field(0.0, description="ride-through energy above soc_min_mwh that plans leave alone")
    soc_end_min_mwh: AtLeast0 | None = Field(
        None, description="least energy at the end of a horizon; none: what it starts with in soc_assumed_mwh"
    )
    soc_assumed_mwh: AtLeast0 | None = Field(None, description="used until telemetry tells; none: half way")
    wear_cost_per_mwh: AtLeast0 = Field(0.0, description="per MWh discharged")
    end_value_per_mwh: AtLeast0 = Field(0.0, description="worth of each MWh at the end of a horizon")
    reserve_cost_per_mwh_h: AtLeast0 | None = Field(
        None, description="per MWh of reserve_mwh missing and hour; none: plans leave the reserve alone"
    )
    moved_price_per_mwh: AtLeast0 = Field(0.0, description="per MWh in or out otherwise than the plan in force has it")
    default: Literal["idle", "hold_reserve"] = Field("idle", description="what its set-point is without a plan")
    maintenance: tuple[Maintenance, ...] = ()
    note: Text = ""

    @property
    def top_mwh(self) -> float:
        """Highest stored energy."""
        return self.energy_mwh if self.soc_max_mwh is None else self.soc_max_mwh

    @property
    def floor_mwh(self) -> float:
        """Lowest stored energy that a plan may reach: minimum and reserve."""
        return self.soc_min_mwh + self.reserve_mwh

    @property
    def assumed_mwh(self) -> float:
        """Stored energy until telemetry tells."""
        return (self.floor_mwh + self.top_mwh) / 2 if self.soc_assumed_mwh is None else self.soc_assumed_mwh

    @property
    def end_min_mwh(self) -> float:
        """Least stored energy at the end of a horizon."""
        return self.assumed_mwh if self.soc_end_min_mwh is None else self.soc_end_min_mwh

    def faults(self) -> Iterable[Fault]:
        """Limits that contradict each other."""
        if self.top_mwh > self.energy_mwh:
            yield Fault(
                "soc_max_mwh",
                "above_energy",
                f"{self.top_mwh:g} MWh is above energy_mwh {self.energy_mwh:g}; lower it",
            )
        if self.floor_mwh >= self.top_mwh:
            yield Fault(
                "reserve_mwh",
                "nothing_left",
                f"soc_min_mwh {self.soc_min_mwh:g} and reserve_mwh {self.reserve_mwh:g} leave nothing below "
                f"{self.top_mwh:g} MWh; lower one",
            )
            return
        for key, value in (("soc_end_min_mwh", self.soc_end_min_mwh), ("soc_assumed_mwh", self.soc_assumed_mwh)):
            if value is not None and not self.floor_mwh <= value <= self.top_mwh:
                yield Fault(
                    key,
                    "outside_limits",
                    f"{value:g} MWh lies outside {self.floor_mwh:g} to {self.top_mwh:g} MWh "
                    "(minimum and reserve to maximum); move it inside",
                )


class GridWindow(Checked):
    """Hours in which the network lends less than usual."""

    hours: tuple[tuple[Hour, Hour], ...] = Field(min_length=1, description="[from, to) of the local clock")
    months: tuple[Month, ...] = tuple(range(1, 13))
    days: tuple[Day, ...] = DAYS
    import_limit_mw: AtLeast0
    note: Text = ""


class Grid(Checked):
    """The connection: what may be drawn, what is firm, what may be given back."""

    import_limit_mw: AtLeast0
    firm_limit_mw: AtLeast0 | None = Field(
        None, description="what the network grants whatever happens; none: the smallest import limit"
    )
    export_limit_mw: AtLeast0 = 0.0
    import_ramp_mw_per_slot: Above0 | None = None
    windows: tuple[GridWindow, ...] = Field((), description="the tightest limit that fits holds")
    carbon_kg_per_mwh: AtLeast0 = Field(0.0, description="of imported energy, mean")
    carbon_price_per_kg: AtLeast0 = 0.0
    peak_assumed_mw: AtLeast0 = Field(0.0, description="month's highest import until the meter tells")
    billing_minutes: Above0 = Field(
        1.0, description="interval over whose mean import the demand charge is measured; less than a slot: each slot"
    )
    outages: tuple[Outage, ...] = ()
    maintenance: tuple[Maintenance, ...] = Field((), description="in which the connection is derated")
    targets: tuple[Target, ...] = Field((), description="of import less export")
    promises: tuple[Promise, ...] = Field((), description="day-ahead nominations")
    note: Text = ""

    @property
    def firm_mw(self) -> float:
        """What the network grants whatever happens."""
        if self.firm_limit_mw is not None:
            return self.firm_limit_mw
        return min([self.import_limit_mw, *(w.import_limit_mw for w in self.windows)])

    def faults(self) -> Iterable[Fault]:
        """A firm limit above the plain one, windows that are no limit, targets and promises of one id."""
        for section in ("targets", "promises"):
            ids = [one.id for one in getattr(self, section)]
            for k, name in enumerate(ids):
                if name in ids[:k]:
                    yield Fault(f"{section}[{k}].id", "duplicate_name", f"{name!r} stands twice; rename one")
        if self.firm_limit_mw is not None and self.firm_limit_mw > self.import_limit_mw:
            yield Fault(
                "firm_limit_mw",
                "above_import_limit",
                f"{self.firm_limit_mw:g} MW is above import_limit_mw {self.import_limit_mw:g}; lower it",
            )
        for k, window in enumerate(self.windows):
            if window.import_limit_mw > self.import_limit_mw:
                yield Fault(
                    f"windows[{k}].import_limit_mw",
                    "above_import_limit",
                    f"{window.import_limit_mw:g} MW is above import_limit_mw {self.import_limit_mw:g}; lower it",
                )
            for i, (first, last) in enumerate(window.hours):
                if first >= last:
                    yield Fault(
                        f"windows[{k}].hours[{i}]",
                        "hours_backwards",
                        f"[{first:g}, {last:g}] ends before it begins; split it at midnight",
                    )


class Feed(Checked):
    """A UPS, feeder or transformer: an upper limit on the IT power of its pools, idle power included."""

    name: Name
    pools: tuple[Name, ...] = Field(min_length=1)
    limit_mw: AtLeast0 = Field(description="after derating for redundancy")
    maintenance: tuple[Maintenance, ...] = ()
    note: Text = ""
