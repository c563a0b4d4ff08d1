"""A real Slurm that seems to live ``speed`` times as fast: instants and spans are translated on the way in and out.

Slurm counts in whole seconds of its own, so simulated instants lie on a grid of ``speed`` seconds. Time limits in Slurm
are generous, as it counts them in minutes; what a job asked for is kept here by its number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from api.slurm.order import Order
from ingest.sources.slurm.shape import SlurmJob
from ingest.sources.slurm.source import Seen, SlurmSource

_STARTS = re.compile(r"\bstart=\d+")


@dataclass(frozen=True, slots=True)
class Pace:
    """Machine's instant ``real`` shows ``shown``, and each second after it counts ``speed``."""

    real: datetime
    shown: datetime
    speed: int

    def show(self, real: datetime) -> datetime:
        """Simulated instant."""
        return self.shown + (real - self.real) * self.speed

    def true(self, shown: datetime) -> datetime:
        """The machine's instant, cut down to a whole second."""
        return self.real + timedelta(seconds=(shown - self.shown) // timedelta(seconds=self.speed))

    def now(self) -> datetime:
        """Simulated present."""
        return self.show(datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class SpedSource:
    """Reads the queue in simulated time; ``limit_min`` says what each job asked for."""

    source: SlurmSource
    pace: Pace
    limit_min: Mapping[int, int]

    def read(self) -> Seen:
        """The queue now."""
        seen = self.source.read(datetime.now(UTC))
        jobs = tuple(self._job(job) for job in seen.jobs)
        facts = tuple(job.facts(one.pool) for job, one in zip(jobs, seen.facts, strict=True))
        return replace(seen, at=self.pace.show(seen.at), jobs=jobs, facts=facts)

    def _job(self, job: SlurmJob) -> SlurmJob:
        show = self.pace.show
        return replace(
            job,
            submitted=show(job.submitted),
            eligible=None if job.eligible is None else show(job.eligible),
            started=None if job.started is None else show(job.started),
            ran_s=job.ran_s * self.pace.speed,
            limit_min=self.limit_min.get(job.number, job.limit_min),
        )


def true_orders(orders: Sequence[Order], pace: Pace) -> list[Order]:
    """Orders in the machine's time; longer time limits are left out, as Slurm's are generous here."""
    found = []
    for order in orders:
        if order.kind == "limit":
            continue
        told = {key: pace.true(at) for key in ("at", "until") if (at := getattr(order, key)) is not None}
        comment = order.comment
        if comment is not None and order.at is not None:
            kept = int(pace.show(told["at"]).timestamp())
            comment = _STARTS.sub(f"start={kept}", comment)
        found.append(replace(order, comment=comment, **told))
    return found
