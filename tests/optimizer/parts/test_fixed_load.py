"""IT power that is decided already: no jobs, no pools, the rest as ever."""

from __future__ import annotations

import numpy as np
import pytest
from golden_rows import Golden, check
from small_day import bounds, compiled, day, job, pool, rows

from optimizer.dispatch import dispatch_energy
from optimizer.schedule import Drawn
from optimizer.solve import Options

DAY = day(
    job("a", pool="hall", gpus=4),
    pools=[pool()],
    cooling={"tangents": [{"slope": 0.2, "intercept_mw": 0.1}]},
    distribution_efficiency=0.8,
)
POWER = np.array([0.0, 1.0, 0.5, 0.25])
GOLDEN = [
    Golden("balance.power[1]", DAY, "grid.import_[1] - 1.25 gpus.it[1] - cooling.power[1] - grid.export[1] = 0"),
    Golden("cooling.above_tangent[1,0]", DAY, "power[1] - 0.25 gpus.it[1] >= 0.1"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(Golden(golden.name, golden.document, golden.says, {"it_power": POWER}))


def test_power_is_a_bound_and_nobody_asks_for_jobs_or_pools() -> None:
    found = bounds(DAY, it_power=POWER)
    assert [found[f"gpus.it[{t}]"] for t in range(4)] == [(p, p) for p in POWER]
    parts = {name.split(".")[0] for name in rows(DAY, it_power=POWER)} | {name.split(".")[0] for name in found}
    assert parts == {"gpus", "cooling", "grid", "balance"}


def test_the_energy_of_given_power() -> None:
    energy = dispatch_energy(compiled(DAY), Drawn(POWER, POWER[None]), Options(gap=1e-9))
    assert energy is not None
    assert energy.heat == pytest.approx(POWER / 0.8)
    assert energy.cooling == pytest.approx([0.1, 0.35, 0.225, 0.1625])
    assert energy.import_ == pytest.approx([0.1, 1.6, 0.85, 0.475])


def test_too_much_power_has_no_energy() -> None:
    power = np.array([0.0, 7.0, 0.0, 0.0])
    assert dispatch_energy(compiled(DAY), Drawn(power, power[None]), Options(gap=1e-9)) is None


def test_heat_of_a_pool_with_shares_of_its_own_is_what_it_draws() -> None:
    # of the pool's heat nine tenths warm the loop, by four degrees a megawatt hour
    loop = {
        "name": "loop",
        "heat_share": 0.0,
        "mwh_per_k": 0.25,
        "start_c": 24.0,
        "lowest_c": 20.0,
        "allowable_c": 32.0,
    }
    wet = DAY | {"pools": [pool(heat_shares={"loop": 0.9})], "schema_version": "1.1"}
    wet |= {"cooling": DAY["cooling"] | {"masses": [loop], "capacity_heat_mw": 4.0}}
    golden = "temperature[loop,1] - temperature[loop,0] + 4 removed[loop,1] = 4.5"
    check(Golden("mass.warms[loop,1]", wet, golden, {"it_power": POWER, "pool_power": POWER[None]}))
