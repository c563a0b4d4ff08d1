"""Slurm's queue as facts for the policy, and which GPUs its jobs have."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ingest.errors import SourceUnavailable
from ingest.sources.slurm.hosts import node_names
from ingest.sources.slurm.shape import NotUnderstood, SlurmJob, job_id, slurm_job
from models.job_sources import SlurmPool
from models.placement import Placement
from models.queued_job import QueuedJob

_log = logging.getLogger("chergui.slurm")


class Queue(Protocol):
    """Something that tells Slurm's jobs as raw objects."""

    def raw_jobs(self) -> Sequence[Mapping[str, Any]]:
        """Every job that the controller still knows.

        Raises:
            SourceUnavailable: it does not answer, or with something else.
        """
        ...


@dataclass(frozen=True, slots=True)
class PoolMap:
    """Which pool a partition or node belongs to, and what a node is called here."""

    by_partition: dict[str, str]
    by_node: dict[str, tuple[str, str]]
    """Slurm's node -> (pool, our name of the node)."""

    @classmethod
    def of(cls, pools: Sequence[SlurmPool]) -> PoolMap:
        """From the site file.

        Raises:
            ValueError: a node list that cannot be read.
        """
        partitions: dict[str, str] = {}
        nodes: dict[str, tuple[str, str]] = {}
        for one in pools:
            partitions |= dict.fromkeys(one.partitions, one.pool)
            for k, node in enumerate(node_names(one.nodes)):
                nodes[node] = (one.pool, f"{one.pool}-n{k + 1}")
        return cls(partitions, nodes)

    def pool_of(self, job: SlurmJob) -> str | None:
        """Pool of a job: that of its nodes if it has some, else of the first of its partitions that belongs to one.

        None where nothing tells, or where its nodes lie in several.
        """
        if job.nodes and self.by_node:
            found = {self.by_node[node][0] if node in self.by_node else None for node in job.nodes}
            return found.pop() if len(found) == 1 else None
        return next((self.by_partition[p] for p in job.partition.split(",") if p in self.by_partition), None)


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of the queue. ``odd`` are jobs that could not be read, in words."""

    at: datetime
    jobs: tuple[SlurmJob, ...]
    facts: tuple[QueuedJob, ...]
    placement: Placement
    odd: tuple[str, ...] = ()


class SlurmSource:
    """A job source. Every job is read alone: one that no known version writes so harms no other."""

    name = "slurm"

    def __init__(self, queue: Queue, pools: Sequence[SlurmPool] = ()) -> None:
        self._queue = queue
        self._map = PoolMap.of(pools)
        self._told: set[str] = set()

    def read(self, now: datetime) -> Seen:
        """The queue at ``now``, by the machine's own clock.

        Raises:
            SourceUnavailable: Slurm does not answer, or nothing in the answer can be read.
        """
        jobs: list[SlurmJob] = []
        odd: list[str] = []
        raw = self._queue.raw_jobs()
        for one in raw:
            try:
                job = slurm_job(one, now)
            except NotUnderstood as error:
                odd.append(str(error))
                continue
            if job is not None:
                jobs.append(job)
        if odd and len(odd) == len(raw):
            raise SourceUnavailable(self.name, f"no job can be read; the first: {odd[0]}")
        for why in set(odd) - self._told:
            _log.warning("a job is left alone: %s", why)
        self._told = set(odd)
        facts = tuple(job.facts(self._map.pool_of(job)) for job in jobs)
        return Seen(now, tuple(jobs), facts, self._placed(jobs, now), tuple(odd))

    def jobs(self, now: datetime) -> Sequence[QueuedJob]:
        """Every job that is waiting or running at ``now``."""
        return self.read(now).facts

    def _placed(self, jobs: Sequence[SlurmJob], now: datetime) -> Placement:
        """Jobs by GPU; a node of the map on which no job runs is known to be empty."""
        nodes: dict[str, dict[int, str]] = {ours: {} for _, ours in self._map.by_node.values()}
        for job in jobs:
            if job.state == "queued":
                continue
            for node, indices in job.gpus_on:
                if node in self._map.by_node:
                    nodes[self._map.by_node[node][1]] |= dict.fromkeys(indices, job_id(job.number))
        return Placement(now, nodes)
