"""What a site file may ask beyond supply and jobs: generators, services, budgets, promises, water, upkeep, nodes.

Data only, in the words of the problem document (version 1.1); powers MW, energies MWh, prices in the site's currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from pydantic import Field

from models.checking import Above0, AtLeast0, Checked, Fraction, Moment, Name, Number, Share, Text, Whole
from models.errors import Fault
from models.horizon import Horizon


class Span(Checked):
    """A time from ``start`` to ``end``."""

    start: Moment
    end: Moment
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """An end that is not after the start."""
        if self.end <= self.start:
            yield Fault("end", "not_after_start", "it ends before it begins; move one of the two")


class Maintenance(Span):
    """A window in which an asset is out, or gives a share of what it could; where windows overlap, the least."""

    left_share: Fraction = Field(0.0, description="of its power, capacity, limit or GPUs; 0: it is out")
    reason: Text = Field("", description="stands in sentences about what the window forbids")


class Nodes(Checked):
    """Nodes of a pool that plans may switch off and on."""

    boot_minutes: AtLeast0 = Field(description="from its start until jobs can run on it")
    min_up_minutes: AtLeast0 = Field(0.0, description="from its start until it may be off again; the boot at least")
    off_w: AtLeast0 = Field(0.0, description="drawn by a node that is off (its service processor)")
    on_assumed: Whole | None = Field(None, ge=0, description="nodes on until telemetry or a plan tells; none: all")
    note: Text = ""


class Outage(Span):
    """No grid, announced: neither import nor export."""


class Target(Span):
    """What a grid operator asks of import less export, kept or paid for."""

    id: Name
    most_import_mw: Number | None = None
    least_import_mw: Number | None = None
    cost_per_mwh: AtLeast0 | None = Field(None, description="per MWh beyond it; none: it must be kept")

    def faults(self) -> Iterable[Fault]:
        """No target, or two that exclude each other."""
        yield from super().faults()
        if self.most_import_mw is None and self.least_import_mw is None:
            yield Fault("", "no_target", "give most_import_mw, least_import_mw or both")
        elif None not in (self.most_import_mw, self.least_import_mw) and self.least_import_mw > self.most_import_mw:  # type: ignore[operator]
            yield Fault("least_import_mw", "too_high", f"{self.least_import_mw:g} MW is above most_import_mw; lower it")


class Promise(Span):
    """A day-ahead nomination: the mean of import less export over a block, commonly an hour."""

    id: Name
    import_mw: Number
    over_cost_per_mwh: AtLeast0
    under_cost_per_mwh: AtLeast0


class Generator(Checked):
    """A generating set: off, or on between its least and its full power."""

    name: Name
    power_mw: Above0
    min_power_mw: AtLeast0 = 0.0
    fuel_cost_per_mwh: AtLeast0 = Field(0.0, description="per MWh generated, upkeep included")
    no_load_cost_per_h: AtLeast0 = 0.0
    start_cost: AtLeast0 = 0.0
    stop_cost: AtLeast0 = 0.0
    min_up_h: AtLeast0 = 0.0
    min_down_h: AtLeast0 = 0.0
    fuel_mwh: AtLeast0 | None = Field(None, description="what the fuel on site can generate in a horizon; none: enough")
    carbon_kg_per_mwh: AtLeast0 = 0.0
    moved_price_per_mwh: AtLeast0 = Field(0.0, description="per MWh more or less than the plan in force has it")
    maintenance: tuple[Maintenance, ...] = ()
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """A least power above the full one."""
        if self.min_power_mw > self.power_mw:
            yield Fault("min_power_mw", "too_high", f"{self.min_power_mw:g} MW is above power_mw; lower it")


class Service(Checked):
    """Inference or another load that is never paused: it draws its forecast, or less at a loss of quality."""

    name: Name
    mean_mw: AtLeast0
    by_hour: tuple[AtLeast0, ...] = Field((), description="24 factors of the mean, by hour of the local clock")
    min_share: Fraction = Field(description="of its forecast, below which it does not run")
    below_nominal_cost_per_mwh: AtLeast0
    note: Text = ""

    def nominal_mw(self, horizon: Horizon, zone: ZoneInfo) -> list[float]:
        """What it asks for in each slot, as the site file says."""
        shape = self.by_hour or (1.0,) * 24
        return [round(self.mean_mw * shape[at.astimezone(zone).hour], 9) for at in horizon.starts()]

    def faults(self) -> Iterable[Fault]:
        """Anything but 24 factors."""
        if self.by_hour and len(self.by_hour) != 24:
            yield Fault("by_hour", "not_24", f"{len(self.by_hour)} factors; write 24, one an hour, or none")


class Budgets(Checked):
    """What a horizon may emit, how much of it sun and wind should cover, and what a year may export."""

    carbon_budget_kg: AtLeast0 | None = Field(None, description="of import and generators; none: no budget")
    above_carbon_budget_cost_per_kg: AtLeast0 | None = Field(None, description="none: it must be kept")
    renewable_share: Share | None = Field(None, description="of all that is used; none: no share asked for")
    below_renewable_share_cost_per_mwh: AtLeast0 | None = Field(None, description="none: it must be kept")
    export_allowance_mwh: AtLeast0 | None = Field(
        None, description="most to be exported in a calendar year of the site's clock; none: any"
    )
    exported_assumed_mwh: AtLeast0 = Field(0.0, description="exported in the year in which the service began, before")
    note: Text = ""


class Water(Checked):
    """Water that cooling evaporates."""

    m3_per_mwh: AtLeast0 = Field(description="per MWh of heat removed")
    price_per_m3: AtLeast0 = 0.0
    limit_m3_per_day: AtLeast0 | None = Field(None, description="of the local day; none: no limit")
    over_cost_per_m3: AtLeast0 | None = Field(None, description="beyond it; none: it must be kept")
    note: Text = ""
