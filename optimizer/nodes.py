"""Nodes of a pool that switch off and on: what they draw, when they are up, and which a use of GPUs needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer import document

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes of one pool: ``there`` of them in each slot, GPUs of each, power of one that is off.

    A node that is started boots for ``boot`` slots, in which it draws like an idle one and carries no job, and stays
    on for ``min_up`` slots, which are no fewer. ``started`` counts, among the ``on_before`` that are on when
    slot 0 begins, those started 1, 2, ... slots before it.
    """

    gpus: int
    there: Ints
    boot: int
    min_up: int
    off: float
    on_before: int
    started: tuple[int, ...]

    def booting_before(self, t: int) -> int:
        """Nodes started before slot 0 that still boot in slot t."""
        return sum(n for k, n in enumerate(self.started) if t + 1 + k < self.boot)

    def staying_before(self, t: int) -> int:
        """Nodes started before slot 0 that may not stop in slot t yet."""
        return sum(n for k, n in enumerate(self.started) if t + 1 + k < self.min_up)

    @property
    def within_reach(self) -> Ints:
        """GPUs on nodes that can be up in each slot, whatever is switched on from slot 0."""
        early = [min(int(n), self.on_before - self.booting_before(t)) for t, n in enumerate(self.there[: self.boot])]
        nodes = np.concatenate([np.array(early, dtype=np.int64), self.there[self.boot :]])
        open_: Ints = np.maximum(nodes, 0) * self.gpus
        return open_

    def idle(self, on: Ints, used: Floats, idle_per_gpu: float) -> Floats:
        """Power that a pool draws beside its jobs, with these nodes on and GPUs in use."""
        power: Floats = idle_per_gpu * (self.gpus * on - used) + self.off * (self.there - on)
        return power

    def holds(self, on: Ints, used: Floats) -> bool:
        """Whether these nodes carry what is in use and keep their boot and their least run."""
        slots, rises = range(len(on)), np.maximum(np.diff(on, prepend=self.on_before), 0)
        booting = np.array([rises[max(0, t - self.boot + 1) : t + 1].sum() for t in slots])
        booting = booting + [self.booting_before(t) for t in slots]
        staying = np.array([rises[max(0, t - self.min_up + 1) : t + 1].sum() for t in slots])
        staying = staying + [self.staying_before(t) for t in slots]
        up = bool((used <= self.gpus * (on - booting)).all())
        return up and bool((staying <= on).all() and (on >= 0).all() and (on <= self.there).all())

    def by_rule(self, used: Floats) -> Ints:
        """Nodes on, started as late and stopped as early as a use of GPUs allows; ``holds`` says whether it is met.

        The fewest there can be, but for least runs, of which a longer pause would spare some.
        """
        slots = range(len(used))
        needed = np.ceil(used / self.gpus - 1e-9).astype(np.int64) + [self.booting_before(t) for t in slots]
        needed = np.maximum(needed, [self.staying_before(t) for t in slots])
        on, below = np.zeros(len(used), dtype=np.int64), 0
        # nodes between two of these numbers are needed in the same slots
        for level in sorted({*needed.tolist(), min(self.on_before, int(needed.max(initial=0)))} - {0}):
            on += (level - below) * self._runs(needed >= level, level <= self.on_before)
            below = level
        rises, before = np.zeros_like(on), self.on_before
        for t in slots:
            # whoever was started lately stays on; which of them does not matter
            on[t] = max(on[t], rises[max(0, t - self.min_up + 1) : t].sum() + self.staying_before(t))
            rises[t], before = max(0, on[t] - before), on[t]
        return on

    def _runs(self, needed: Flags, on_before: bool) -> Flags:
        """Slots in which a node is on that is needed up in these: from its boot, through pauses too short for one."""
        on, end = np.zeros(len(needed), dtype=bool), 0 if on_before else -1
        edges = np.flatnonzero(np.diff(np.concatenate([[False], needed, [False]]).astype(np.int8)))
        for first, last in edges.reshape(-1, 2).tolist():
            start = max(0, first - self.boot)
            on[end if 0 <= start <= end else start : last] = True
            end = last
        return on


def nodes(pool: document.Pool, gpus: Ints, unit: float) -> Nodes | None:
    """Nodes of a document's pool with these GPUs available; None where they stay on."""
    given = pool.nodes
    if given is None:
        return None
    there = gpus // given.gpus_per_node
    return Nodes(
        gpus=given.gpus_per_node,
        there=there,
        boot=given.boot_slots,
        # a boot goes to its end, so that those that boot are among those that are on
        min_up=max(given.min_up_slots, given.boot_slots),
        off=given.off_w / 1e6 / unit,
        on_before=int(there[0]) if given.on_before is None else given.on_before,
        started=tuple(given.started_before),
    )
