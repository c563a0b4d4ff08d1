"""Each battery: power, exclusion, and its stock recomputed from the start."""

from __future__ import annotations

import numpy as np

from optimizer.document import Battery, PlanSeries

from .day import Day
from .findings import POWER, POWER_FLOOR_MW, Findings
from .power import between, exclusive


def check_battery(day: Day, battery: Battery, series: PlanSeries, findings: Findings) -> None:
    """One battery of the plan, whose three series are there in full length."""
    name = battery.name
    charge, discharge = day.per_slot(series.charge_mw[name]), day.per_slot(series.discharge_mw[name])
    power = day.per_slot(battery.power_mw) * day.left(battery.maintenance)
    between("battery.power", f"charge of {name}", charge, power, findings)
    between("battery.power", f"discharge of {name}", discharge, power, findings)
    exclusive("battery.exclusion", f"charge and discharge of {name}", charge, discharge, findings)
    flow = battery.charge_efficiency * charge - discharge / battery.discharge_efficiency
    stock = battery.soc_start_mwh + day.step_h * np.cumsum(flow)
    slack = np.full(day.slots, POWER * battery.energy_mwh + POWER_FLOOR_MW)
    findings.same("battery.soc", f"stock of {name}", day.per_slot(series.soc_mwh[name]), stock, slack, "MWh")
    highest = battery.energy_mwh if battery.soc_max_mwh is None else battery.soc_max_mwh
    findings.limits("battery.soc_max", f"stock of {name}", stock, day.per_slot(highest), slack, "MWh")
    for rule, least, slots in (
        ("battery.soc_min", battery.soc_min_mwh, range(day.slots)),
        ("battery.soc_end", battery.soc_end_min_mwh, range(day.slots - 1, day.slots)),
    ):
        for k in slots:
            if least - stock[k] > slack[k]:
                findings.add(
                    rule,
                    f"stock of {name} is {stock[k]:.9g} MWh at the end of the slot, at least {least:.9g} MWh is asked",
                    amount=least - stock[k],
                    unit="MWh",
                    slot=k,
                )
