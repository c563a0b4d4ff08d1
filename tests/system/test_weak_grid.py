"""A site whose firm limit is 30 % of its nameplate: granted only with shed groups, which then bring it down in time."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.modes import ModeChange, grant
from ingest.site_file import resolved_site, sample_path
from models.errors import InvalidInput
from models.gpu_power import drawn_at_limit_w
from models.lease import Mode, Version
from models.plant.nature import Air
from models.plant.orders import JobOrder, Orders
from models.plant.scenarios import Works
from models.plant.step import Plant
from models.safety import default_proof, facility_mw
from models.site import Site

NOON = datetime(2026, 7, 1, 13, tzinfo=UTC)


class Noted:
    """Stands for the plan store: what is granted, and by whom."""

    def __init__(self) -> None:
        self.granted: list[str] = []

    def set_mode(self, name: str, mode: Mode, *_: Any) -> Version:
        self.granted.append(f"{name} {mode}")
        return Version(1, 1)


def raw_site() -> dict[str, Any]:
    raw = tomllib.loads(sample_path("local").read_text(encoding="utf-8"))
    raw["feeds"], raw["solar"] = [], []
    raw["grid"] |= {"import_limit_mw": 10.0, "firm_limit_mw": 10.0}
    return raw


def nameplate_mw(site: Site) -> float:
    """Every GPU at its highest limit, by the workload that draws most, on the design day."""
    it_w = 0.0
    for pool in site.pools:
        gpu = site.gpu(pool.gpu)
        drawn = max(drawn_at_limit_w(gpu, curve.workload, gpu.max_limit_w) for curve in gpu.curves)
        it_w += pool.gpus * (drawn + site.host_w(pool))
    return facility_mw(site, it_w / 1e6)


def weak(*, shed: bool, switch_off: bool = True) -> Site:
    """The sample hall on 30 % of its nameplate, its defaults at the least that its GPUs accept."""
    raw = raw_site()
    firm = round(0.3 * nameplate_mw(resolved_site(raw)), 6)
    nameplate = round(firm / 0.3, 6)
    raw["grid"] |= {"import_limit_mw": nameplate, "firm_limit_mw": firm}
    raw["pools"][0]["default"] |= {"limit_w": 200, "nodes_may_switch_off": switch_off}
    raw["batteries"] = [
        {"name": "bridge", "power_mw": nameplate, "energy_mwh": nameplate / 4, "reserve_mwh": nameplate / 8}
    ]
    raw["shed_groups"] = [{"name": "stop", "pools": ["hall"], "action": "switch_off", "seconds": 60}] if shed else []
    return resolved_site(raw)


def test_caps_alone_do_not_reach_a_third_of_the_nameplate() -> None:
    proof = default_proof(weak(shed=False))
    assert not proof.holds
    assert proof.stages[-1].facility_mw > 0.4 * nameplate_mw(weak(shed=False)), "every GPU at its least, and yet"
    assert default_proof(weak(shed=True)).holds


def test_a_pool_is_granted_only_where_the_defaults_hold() -> None:
    store = Noted()
    with pytest.raises(InvalidInput, match="add pools to shed_groups"):
        grant(store, weak(shed=False), "hall", ModeChange(mode=Mode.AUTO), "test")  # type: ignore[arg-type]
    grant(store, weak(shed=False), "hall", ModeChange(mode=Mode.SHADOW), "test")  # type: ignore[arg-type]
    grant(store, weak(shed=True), "hall", ModeChange(mode=Mode.AUTO), "test")  # type: ignore[arg-type]
    assert store.granted == ["hall shadow", "hall auto"]


def test_planner_and_grid_lost_the_plant_draws_less_than_firm_within_the_stated_seconds() -> None:
    site = weak(shed=True)
    pool, plant = site.pools[0], Plant(site)
    air = Air(0.0, 0.0, site.design_dry_bulb_c, site.design_wet_bulb_c)
    full = Orders((JobOrder("busy", pool.name, pool.gpus, "pretrain", 700.0),))
    capped = Orders((JobOrder("busy", pool.name, pool.gpus, "pretrain", pool.default.limit_w),))
    state = plant.at_rest(NOON)
    for _ in range(60):
        state, flows = plant.step(state, full, air, Works(1.0, 1.0), 10.0)
    assert flows.import_mw > site.grid.firm_mw, "with a grid and a plan it drew more than is firm"
    # The connection falls to what is firm, and nobody plans: caps at once, by the agents; the group in its seconds.
    share = site.grid.firm_mw / site.grid.import_limit_mw
    dark: list[float] = []
    # The plant knows no node that is off: after the switch a hall of one GPU stands for it.
    off = Plant(site.model_copy(update={"pools": (pool.model_copy(update={"gpus": 1}),)}))
    seconds = round(site.shed_groups[0].seconds)
    for second in range(seconds + 60):
        now, orders = (plant, capped) if second < seconds else (off, Orders())
        state, flows = now.step(state, orders, air, Works(share, 1.0), 1.0)
        dark.append(flows.dark_mw)
        if second >= seconds:
            assert flows.import_mw <= site.grid.firm_mw
            assert sum(flows.battery_mw.values()) >= -1e-9, "without the battery's help"
    assert max(dark) == 0.0, "the reserve bridged the way there"
    assert state.at == NOON + timedelta(seconds=600 + seconds + 60)
