"""What is in use and what there is, per slot: GPUs of each pool, power on each feed, IT power of the site."""

from __future__ import annotations

import numpy as np

from optimizer.problem import Entry, Floats, Ints, Problem
from optimizer.sessions import starts_of


class Board:
    """What is in use and what there is, per slot."""

    def __init__(self, problem: Problem, it_limit: Floats) -> None:
        self.problem = problem
        pools = problem.pools
        self.idle = np.array([pool.idle for pool in pools])
        # the last one stands for loads without a pool
        self.ours = np.array([*(pool.ours for pool in pools), True])
        self.gpu_limit = np.array([pool.within_reach for pool in pools], dtype=float).reshape(-1, problem.slots)
        self.gpus = np.zeros_like(self.gpu_limit)
        # nodes that could be off count as on: what is listed can be carried all the more
        idle = self.idle[:, None] * np.array([pool.gpus for pool in pools], dtype=float).reshape(-1, problem.slots)
        self.it_limit, self.it = it_limit, idle.sum(axis=0)
        self.feed_limit = np.array([feed.limit for feed in problem.feeds]).reshape(-1, problem.slots)
        self.feeds = np.array([idle[list(f.pools)].sum(axis=0) for f in problem.feeds]).reshape(-1, problem.slots)
        self.fed = np.array([[k in f.pools for k in range(len(pools))] for f in problem.feeds], dtype=bool)
        self.fed = self.fed.reshape(len(problem.feeds), len(pools))

    def is_overbooked(self) -> bool:
        """Whether anything is used beyond its limit."""
        over = max(float((self.it - self.it_limit).max()), float((self.gpus - self.gpu_limit).max(initial=0.0)))
        return max(over, float((self.feeds - self.feed_limit).max(initial=0.0))) > 1e-6

    def added(self, e: Entry, power: Floats) -> Floats:
        """IT power that one copy adds: its own, less the idle draw of the GPUs that it takes."""
        return power - (self.idle[e.pool] * e.gpus if e.pool is not None else 0.0)

    def line(self, e: Entry) -> int:
        """Number of its pool; that after the last one where it needs none."""
        return len(self.problem.pools) if e.pool is None else e.pool

    def take(self, e: Entry, on: Ints, power: Floats, sign: int = 1) -> None:
        """Book (or with ``sign`` -1 free) what ``on`` copies drawing ``power`` in all need."""
        extra = sign * (power - (self.idle[e.pool] * e.gpus * on if e.pool is not None else 0.0))
        if self.ours[self.line(e)]:
            self.it += extra
        if e.pool is not None:
            self.gpus[e.pool] += sign * e.gpus * on
            self.feeds[self.fed[:, e.pool]] += extra

    def room(self, e: Entry, power: Floats) -> Floats:
        """Copies that still fit in each slot at each level, ``[level, slot]``; 0 outside the window."""
        extra = np.maximum(self.added(e, power), 1e-12)[:, None]
        carried = (self.it_limit - self.it) / extra if self.ours[self.line(e)] else np.inf
        most = np.broadcast_to(carried, (len(power), self.problem.slots))
        if e.pool is not None:
            for i in np.flatnonzero(self.fed[:, e.pool]):
                most = np.minimum(most, (self.feed_limit[i] - self.feeds[i]) / extra)
            if e.gpus:
                most = np.minimum(most, (self.gpu_limit[e.pool] - self.gpus[e.pool]) / e.gpus)
        open_ = np.zeros(self.problem.slots, dtype=bool)
        open_[e.opens : e.last] = True
        room: Floats = np.where(open_, np.clip(np.floor(most + 1e-9), 0.0, e.count), 0.0)
        return room


def work_of(problem: Problem, e: Entry, on: Ints, level: int) -> float:
    """Work done at one level in these slots, losses taken off."""
    _, resumed = starts_of(e, on)
    return problem.step_h * float(e.speed[level]) * float(on.sum()) - e.loss_h * resumed


def slots_needed(problem: Problem, e: Entry, level: int, work_h: float, starts: int = 1) -> int:
    """On-slots of one copy that do some work at a level after so many starts; at least one."""
    lost = e.loss_h * max(0, starts - (1 if e.state == "queued" else 0))
    return max(1, int(np.ceil((work_h + lost) / (problem.step_h * float(e.speed[level])) - 1e-9)))
