"""The audit trail: one row a write, each chained to the one before, so that a changed row shows."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from api.store.tables import audit
from models.horizon import rfc3339


def record(connection: Connection, at: datetime, actor: str, action: str, what: str, detail: Any) -> None:
    """Append a row inside the caller's transaction, so that a write and its row stand or fall together."""
    last = connection.execute(select(audit.c.chain).order_by(audit.c.id.desc()).limit(1)).scalar()
    row = {
        "at": rfc3339(at),
        "actor": actor,
        "action": action,
        "object": what,
        "detail": json.dumps(detail, sort_keys=True, separators=(",", ":")),
    }
    connection.execute(audit.insert().values(**row, chain=_link(last, row)))


def first_broken(connection: Connection) -> int | None:
    """Id of the first row that does not follow from the one before; None where the chain holds."""
    last: str | None = None
    for row in connection.execute(select(audit).order_by(audit.c.id)).mappings():
        told = {name: row[name] for name in ("at", "actor", "action", "object", "detail")}
        if row["chain"] != _link(last, told):
            return int(row["id"])
        last = row["chain"]
    return None


def _link(last: str | None, row: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps([last or "", row], sort_keys=True).encode()).hexdigest()
