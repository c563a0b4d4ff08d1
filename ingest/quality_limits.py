"""What is possible at one site, by its file: narrower than what is possible anywhere.

Margins are 5 % for what a nameplate bounds and 25 % for a board's power, which may shoot over its limit for an instant.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingest.points import Tags
from ingest.quality import Limits
from models.site import Site

_MARGIN = 1.05
_OVERSHOOT = 1.25
_REST_MW = 0.02
"""Of its rating, an inverter at night may draw or show."""


def limits_of(site: Site) -> Limits:
    """Ranges by metric and tags; what the site file does not bound is left to the catalogue."""
    found: dict[str, list[tuple[Tags, float, float]]] = {}
    for metric, tags, low, high in (*_pools(site), *_supply(site)):
        found.setdefault(metric, []).append((tuple(sorted({"site": site.name, **tags}.items())), low, high))
    return found


_Row = tuple[str, dict[str, str], float, float]


def _pools(site: Site) -> Iterator[_Row]:
    total, board, host = 0.0, 0.0, 0.0
    for pool in site.pools:
        gpu = site.gpu(pool.gpu)
        node = (_OVERSHOOT * gpu.max_limit_w + 2 * site.host_w(pool)) * pool.gpus_per_node
        whole = pool.gpus * (gpu.max_limit_w + 2 * site.host_w(pool)) / 1e6 * _MARGIN
        total += whole
        board, host = max(board, _OVERSHOOT * gpu.max_limit_w), max(host, node)
        yield "pool.power_mw", {"pool": pool.name}, 0.0, whole
        yield "gpu.power_w", {"pool": pool.name}, 0.0, _OVERSHOOT * gpu.max_limit_w
        yield "node.power_w", {"pool": pool.name}, 0.0, node
    yield "gpu.power_w", {}, 0.0, board
    yield "node.power_w", {}, 0.0, host
    yield "site.it_mw", {}, 0.0, total


def _supply(site: Site) -> Iterator[_Row]:
    grid = site.grid
    yield "site.import_mw", {}, 0.0, 1.25 * grid.import_limit_mw + 1e-3
    yield "site.export_mw", {}, 0.0, 1.25 * grid.export_limit_mw + 1e-3
    sun = sum(field.inverter_ac_mw for field in site.solar)
    turbines = sum(farm.count * farm.rated_mw for farm in site.wind)
    yield "site.pv_mw", {}, -_REST_MW * sun, _MARGIN * sun
    yield "site.wind_mw", {}, -_REST_MW * turbines, _MARGIN * turbines
    for battery in site.batteries:
        named = {"asset": battery.name}
        yield "battery.soc_mwh", named, 0.0, _MARGIN * battery.energy_mwh
        yield "battery.charge_mw", named, 0.0, _MARGIN * battery.power_mw
        yield "battery.discharge_mw", named, 0.0, _MARGIN * battery.power_mw
        yield "battery.power_mw", named, -_MARGIN * battery.power_mw, _MARGIN * battery.power_mw
    plant = site.cooling
    if plant is not None:
        worst = sum(side.rated_heat_mw * (1 + side.fan_w_per_kw / 1000) for side in plant.sides)
        yield "site.cooling_mw", {}, 0.0, worst
        yield "chiller.power_mw", {}, 0.0, worst
