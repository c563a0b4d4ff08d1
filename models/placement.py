"""GPU -> node -> job: which job each GPU of the site works for, as a scheduler tells it.

A GPU is known by its node (the site's own name, ``<pool>-n<number>``) and its index there. Where a node's agent says it
too, the agent's word counts: it reads what the prolog wrote on the machine. Light: the web process imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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
