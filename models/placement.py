"""GPU -> node -> job: which job each GPU of the site works for, as Slurm and agents tell it.

A GPU is known by its node (the site's own name, ``<pool>-n<number>``) and its index there. Where both Slurm and a
node's agent speak of a node, the agent's word counts while it is fresh: it reads what the prolog wrote on the machine.
Light: the web process imports this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.horizon import parse_rfc3339, rfc3339

Rows = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Placement:
    """Jobs by GPU index, by node; ``as_of`` is when that was so. A node that is not named is not known of."""

    as_of: datetime
    nodes: Mapping[str, Rows] = field(default_factory=dict)

    def on(self, node: str) -> Rows | None:
        """Jobs by GPU index on a node; None where nothing is known of it."""
        return self.nodes.get(node)

    def of(self, job: str) -> dict[str, tuple[int, ...]]:
        """GPUs that a job has, by node."""
        found = {node: tuple(sorted(k for k, who in rows.items() if who == job)) for node, rows in self.nodes.items()}
        return {node: indices for node, indices in found.items() if indices}

    def to_json(self) -> str:
        """As it is kept in a file."""
        nodes = {node: {str(k): job for k, job in sorted(rows.items())} for node, rows in sorted(self.nodes.items())}
        return json.dumps({"as_of": rfc3339(self.as_of), "nodes": nodes})

    @classmethod
    def from_json(cls, text: str) -> Placement:
        """As it was kept.

        Raises:
            ValueError: it is none.
        """
        try:
            raw = json.loads(text)
            nodes = {node: {int(k): str(job) for k, job in rows.items()} for node, rows in raw["nodes"].items()}
            return cls(parse_rfc3339(raw["as_of"]), nodes)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no placement: {error!r}") from None


def merged(scheduler: Placement, agents: Iterable[Placement], now: datetime, fresh: timedelta) -> Placement:
    """One view: the scheduler's, and for each node the newest word of its agent where that is not older than
    ``fresh``."""
    nodes: dict[str, Rows] = dict(scheduler.nodes)
    for told in sorted(agents, key=lambda one: one.as_of):
        if now - told.as_of <= fresh:
            nodes |= told.nodes
    return Placement(scheduler.as_of, nodes)
