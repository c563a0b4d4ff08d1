"""One tick: decide each GPU's limit, write it where it differs, read back what is enforced."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.climb import Climb, spread
from agent.devices import Actuator, DeviceLost, NoDevices, Reading
from agent.machine import FREE, Gpu, Machine, SiteFactor
from agent.memory import Memory

_log = logging.getLogger("chergui.agent")
_SAME_W = 0.0015
"""Two limits closer than this are one: devices count in milliwatts."""


@dataclass(slots=True)
class Held:
    """What is known of one GPU after a tick; ``requested_w`` is our decision, the others were read back."""

    gpu: Gpu
    jobs: tuple[str, ...] = ()
    requested_w: float = math.nan
    reading: Reading | None = None
    lost: str | None = None
    overwritten: int = 0
    """How often another writer's limit was found in place of ours."""

    @property
    def exceeds(self) -> bool:
        """Whether the device enforces more than was asked for."""
        return self.reading is not None and self.reading.enforced_w > self.requested_w + _SAME_W


class Enforcer:
    """Holds the GPUs of this machine to what the machine of states allows."""

    def __init__(
        self,
        actuator: Actuator,
        memory: Memory,
        node: str,
        *,
        node_budget_w: float = math.inf,
        keep_originals: bool = True,
    ) -> None:
        self._actuator = actuator
        self._memory = memory
        self._node = node
        self._budget_w = node_budget_w
        self._keep_originals = keep_originals
        self._climbs: dict[str, Climb] = {}
        self._written: dict[str, float] = {}
        self._saved: set[str] = set()
        self.held: dict[str, Held] = {}

    def find(self) -> Sequence[Gpu]:
        """The GPUs that are there now.

        Raises:
            NoDevices: there is no way to them.
        """
        gpus = self._actuator.gpus()
        for gpu in gpus:
            self.held.setdefault(gpu.uuid, Held(gpu)).gpu = gpu
        return gpus

    def tick(
        self,
        machine: Machine,
        now_s: float,
        jobs: Mapping[str, tuple[str, ...]],
        factor: SiteFactor = FREE,
        override_w: float = math.inf,
        *,
        rise: bool = True,
    ) -> None:
        """Hold every GPU to its limit. ``rise=False``: nothing is raised, as on the way out.

        A GPU that cannot be reached harms no other; where none can, NoDevices is raised after all were tried.
        """
        gone: NoDevices | None = None
        wanted: dict[str, tuple[Held, float]] = {}
        for held in self.held.values():
            held.jobs = jobs.get(held.gpu.uuid, ())
            try:
                held.reading, held.lost = self._actuator.read(held.gpu.uuid), None
            except (DeviceLost, NoDevices) as error:
                gone = error if isinstance(error, NoDevices) else gone
                self._lose(held, error)
                continue
            wanted[held.gpu.uuid] = (held, self._wanted(machine, held, now_s, factor, override_w, rise))
        for held, limit_w in self._within_budget(wanted.values()):
            try:
                self._write(held, limit_w)
            except (DeviceLost, NoDevices) as error:
                gone = error if isinstance(error, NoDevices) else gone
                self._lose(held, error)
        if gone is not None:
            raise gone

    def _wanted(
        self, machine: Machine, held: Held, now_s: float, factor: SiteFactor, override_w: float, rise: bool
    ) -> float:
        gpu, reading = held.gpu, held.reading
        assert reading is not None
        climb = self._climbs.get(gpu.uuid)
        if climb is None:
            climb = self._climbs[gpu.uuid] = Climb(reading.limit_w, now_s)
        target = machine.allowed_w(
            gpu,
            now_s,
            jobs=held.jobs,
            last_applied_w=climb.applied_w,
            factor=factor,
            override_w=override_w,
        )
        if not rise:
            target = max(gpu.min_w, min(target, climb.applied_w))
        who = " ".join(held.jobs) or self._node
        version = machine.orders.version if machine.orders else ""
        return climb.step(target, now_s, machine.ramp_w_per_s, machine.jitter_s * spread(who, version))

    def _within_budget(self, wanted: Iterable[tuple[Held, float]]) -> list[tuple[Held, float]]:
        """All limits, scaled down together where their sum exceeds the node's budget."""
        rows = list(wanted)
        total = sum(limit for _, limit in rows)
        floor = sum(held.gpu.min_w for held, _ in rows)
        if total <= self._budget_w:
            return rows
        share = max(0.0, (self._budget_w - floor) / (total - floor)) if total > floor else 0.0
        return [(held, held.gpu.min_w + (limit - held.gpu.min_w) * share) for held, limit in rows]

    def _write(self, held: Held, limit_w: float) -> None:
        uuid, reading = held.gpu.uuid, held.reading
        assert reading is not None
        limit_w = math.floor(limit_w * 1000 + 1e-6) / 1000
        before = self._written.get(uuid)
        held.requested_w = limit_w
        if abs(reading.limit_w - limit_w) <= _SAME_W and before == limit_w:
            self._climbs[uuid].applied_w = limit_w
            return
        if before is not None and abs(reading.limit_w - before) > _SAME_W:
            held.overwritten += 1
            _log.warning("GPU %s: somebody set %g W where %g W were ours", uuid, reading.limit_w, before)
        self._save_original(uuid, reading.limit_w)
        self._actuator.set_limit(uuid, limit_w)
        self._written[uuid] = limit_w
        self._climbs[uuid].applied_w = limit_w
        held.reading = self._actuator.read(uuid)
        if held.exceeds:
            _log.error("GPU %s enforces %g W, above the %g W asked for", uuid, held.reading.enforced_w, limit_w)

    def _save_original(self, uuid: str, limit_w: float) -> None:
        if uuid in self._saved or not self._keep_originals:
            return
        self._saved.add(uuid)
        try:
            self._memory.save_original(uuid, limit_w)
        except OSError as error:  # a full disk must not keep a limit from falling
            _log.error("the original limit of GPU %s, %g W, could not be kept: %s", uuid, limit_w, error)

    def _lose(self, held: Held, error: DeviceLost | NoDevices) -> None:
        if held.lost is None:
            _log.warning("%s", error)
        held.lost, held.reading = str(error), None
        # When it comes back its limit may be any; it is read then and falls at once.
        self._climbs.pop(held.gpu.uuid, None)
        self._written.pop(held.gpu.uuid, None)

    def restore(self) -> list[str]:
        """Give every GPU its original limit back; returns what could not be done, in words."""
        originals = self._memory.originals()
        failed: list[str] = []
        for held in self.held.values():
            try:
                self._actuator.restore(held.gpu.uuid, originals.get(held.gpu.uuid))
            except (DeviceLost, NoDevices) as error:
                failed.append(str(error))
        self._climbs.clear()
        self._written.clear()
        self._saved.clear()
        if not failed:
            self._memory.drop_originals()
        return failed
