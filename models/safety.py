"""What a site draws when no plan is valid, and whether the defaults bring it under its firm limit.

Worst case on the design day: every GPU busy with the workload that draws most under the default cap, no sun, no
wind. First the caps alone, then after each pool of a shed group has been suspended. The battery counts with its
reserve only, because no plan may touch that.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.cooling import plant_power_mw
from models.gpu_power import drawn_at_limit_w
from models.site import GpuPool, Site


@dataclass(frozen=True, slots=True)
class DefaultStage:
    """Site power after one stage of the defaults; ``seconds`` from the loss of the plan, as the site file states."""

    name: str
    seconds: float
    it_mw: float
    facility_mw: float


@dataclass(frozen=True, slots=True)
class DefaultProof:
    """Stages of the defaults against the firm limit; ``bridge_mw`` for ``bridge_minutes`` is the batteries' reserve."""

    stages: tuple[DefaultStage, ...]
    firm_mw: float
    bridge_mw: float
    bridge_minutes: float

    @property
    def holds(self) -> bool:
        """Whether the last stage lies under the firm limit, and the reserve bridges the way there."""
        last = self.stages[-1]
        over_mwh = sum(
            max(0.0, now.facility_mw - self.firm_mw) * (after.seconds - now.seconds) / 3600
            for now, after in zip(self.stages, self.stages[1:], strict=False)
        )
        reserve_mwh = self.bridge_mw * self.bridge_minutes / 60
        over_mw = max(0.0, self.stages[0].facility_mw - self.firm_mw) if len(self.stages) > 1 else 0.0
        return last.facility_mw <= self.firm_mw and over_mwh <= reserve_mwh and over_mw <= self.bridge_mw

    @property
    def sentence(self) -> str:
        """The verdict in words, with the mend where it fails."""
        first, last = self.stages[0], self.stages[-1]
        if self.holds:
            return (
                f"without a plan the site falls to {last.facility_mw:.3g} MW within {last.seconds:.0f} s, "
                f"under its firm {self.firm_mw:.3g} MW"
            )
        if last.facility_mw > self.firm_mw:
            return (
                f"without a plan the site still draws {last.facility_mw:.3g} MW after {last.seconds:.0f} s, above its "
                f"firm {self.firm_mw:.3g} MW: add pools to shed_groups, lower default limits or let nodes switch off"
            )
        return (
            f"the defaults end at {last.facility_mw:.3g} MW, but until then {first.facility_mw:.3g} MW exceed the firm "
            f"{self.firm_mw:.3g} MW by more than the batteries' reserve bridges "
            f"({self.bridge_mw:.3g} MW for {self.bridge_minutes:.0f} min): raise reserve_mwh or lower default limits"
        )


def busy_default_mw(site: Site, pool: GpuPool) -> float:
    """IT MW of a pool with every GPU busy under its default cap, by the workload that draws most."""
    gpu = site.gpu(pool.gpu)
    drawn = max(drawn_at_limit_w(gpu, curve.workload, pool.default.limit_w) for curve in gpu.curves)
    return pool.gpus * (drawn + site.host_w(pool)) / 1e6


def facility_mw(site: Site, it_mw: float) -> float:
    """Site MW at ``it_mw`` on the design day: distribution losses, cooling and the largest base load included."""
    heat = it_mw / site.distribution_efficiency
    base = site.base_load.mean_mw * max(site.base_load.by_hour or (1.0,))
    if site.cooling is None:
        return heat + base
    return heat + base + float(plant_power_mw(heat, site.design_dry_bulb_c, site.design_wet_bulb_c, site.cooling))


def default_proof(site: Site) -> DefaultProof:
    """Walk through the defaults: caps, then each shed group in the order of its seconds."""
    now = {pool.name: busy_default_mw(site, pool) for pool in site.pools}
    stages = [DefaultStage("caps", 0.0, sum(now.values()), facility_mw(site, sum(now.values())))]
    for group in sorted(site.shed_groups, key=lambda g: g.seconds):
        for name in group.pools:
            pool = site.pool(name)
            off = group.action == "switch_off" and pool.default.nodes_may_switch_off
            now[name] = 0.0 if off else pool.gpus * site.idle_w(pool) / 1e6
        stages.append(DefaultStage(group.name, group.seconds, sum(now.values()), facility_mw(site, sum(now.values()))))
    power = sum(b.power_mw for b in site.batteries)
    reserve = sum(b.reserve_mwh * b.discharge_efficiency for b in site.batteries)
    return DefaultProof(tuple(stages), site.grid.firm_mw, power, reserve / power * 60 if power else 0.0)
