"""Which job has which GPU, as a scheduler says. A telling that changes any node's rows raises the version in force."""

from __future__ import annotations

import json

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from api.plan_store import raise_version
from api.store.audit import record
from api.store.engine import reading, writing
from api.store.tables import placements
from ingest.ports import Clock
from models.horizon import rfc3339
from models.placement import Placement


class PlacementStore:
    """Keeps the scheduler's last word on each node of a site."""

    def __init__(self, engine: Engine, site: str, clock: Clock) -> None:
        self._engine = engine
        self._site = site
        self._clock = clock

    def tell(self, placement: Placement, actor: str) -> list[str]:
        """Keep all that a scheduler says; nodes that it names no more are forgotten. Returns the nodes that changed."""
        now = self._clock.now()
        told = {node: _text(rows) for node, rows in placement.nodes.items()}
        stamp = rfc3339(placement.as_of)
        with writing(self._engine) as connection:
            before = {row.node: row.rows for row in connection.execute(select(placements.c.node, placements.c.rows))}
            changed = sorted(node for node in {*told, *before} if told.get(node) != before.get(node))
            connection.execute(placements.update().values(seen_at=stamp))
            for node in changed:
                if node in told:
                    values = {"seen_at": stamp, "rows": told[node]}
                    connection.execute(
                        insert(placements)
                        .values(node=node, **values)
                        .on_conflict_do_update(index_elements=["node"], set_=values)
                    )
                else:
                    connection.execute(placements.delete().where(placements.c.node == node))
            if changed:
                record(connection, now, actor, "placement.tell", self._site, {"nodes": changed})
                raise_version(connection, self._site, now)
        return changed

    def rows(self, node: str, gpus: int) -> dict[int, str | None] | None:
        """Job by GPU index for a node of ``gpus`` GPUs, None: free; None where no scheduler speaks of the node."""
        with reading(self._engine) as connection:
            text = connection.execute(select(placements.c.rows).where(placements.c.node == node)).scalar()
        if text is None:
            return None
        told = {int(index): job for index, job in json.loads(text).items()}
        return {k: told.get(k) for k in range(gpus)}


def _text(rows: object) -> str:
    return json.dumps(rows, sort_keys=True, separators=(",", ":"))
