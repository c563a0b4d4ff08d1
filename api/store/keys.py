"""API keys: shown once when made, kept as a hash.

A key reads ``chergui_<id>_<secret><check>``: the id names it in lists and in the audit trail, the secret has
190 bits, the check (CRC-32) lets a scanner or a typing error be told from a foreign key without a look-up. With
that much chance in it a plain SHA-256 is as good as a slow password hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Engine, func, select

from api.store.audit import record
from api.store.engine import reading, writing
from api.store.tables import keys
from ingest.ports import Clock
from models.errors import NotFound
from models.horizon import rfc3339

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")
"""Each allows what the ones before allow, too."""

_LETTERS = string.ascii_letters + string.digits
_ID, _SECRET, _CHECK = 8, 32, 6


@dataclass(frozen=True, slots=True)
class Key:
    """What is known about a key; never the key itself."""

    id: str
    scope: Scope
    label: str
    created_at: str
    revoked_at: str | None


def _check(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, rest = divmod(number, len(_LETTERS))
        digits = _LETTERS[rest] + digits
    return digits


def well_formed(text: str) -> bool:
    """Whether a text is a key by shape and check digits."""
    prefix, _, rest = text.partition("_")
    key_id, _, body = rest.partition("_")
    if prefix != "chergui" or len(key_id) != _ID or len(body) != _SECRET + _CHECK or not body.isascii():
        return False
    return hmac.compare_digest(_check(f"{key_id}_{body[:_SECRET]}"), body[_SECRET:])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class KeyStore:
    """Makes, finds, lists and revokes keys."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def new(self, scope: Scope, label: str, actor: str) -> str:
        """Make a key; the returned text is not kept."""
        key_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(_ID))
        body = f"{key_id}_" + "".join(secrets.choice(_LETTERS) for _ in range(_SECRET))
        text = f"chergui_{body}{_check(body)}"
        now = self._clock.now()
        with writing(self._engine) as connection:
            connection.execute(
                keys.insert().values(id=key_id, hash=_hash(text), scope=scope, label=label, created_at=rfc3339(now))
            )
            record(connection, now, actor, "key.new", key_id, {"scope": scope, "label": label})
        return text

    def find(self, text: str) -> Key | None:
        """The valid key that ``text`` is; None for anything else."""
        if not well_formed(text):
            return None
        with reading(self._engine) as connection:
            row = connection.execute(select(keys).where(keys.c.id == text.split("_")[1])).mappings().first()
        if row is None or row["revoked_at"] is not None or not hmac.compare_digest(row["hash"], _hash(text)):
            return None
        return Key(row["id"], row["scope"], row["label"], row["created_at"], None)

    def all(self) -> list[Key]:
        """Every key, oldest first, revoked ones included."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)).mappings().all()
        return [Key(r["id"], r["scope"], r["label"], r["created_at"], r["revoked_at"]) for r in rows]

    def any_valid(self) -> bool:
        """Whether some key would be let in."""
        with reading(self._engine) as connection:
            return bool(connection.execute(select(func.count()).where(keys.c.revoked_at.is_(None))).scalar())

    def revoke(self, key_id: str, actor: str) -> None:
        """Shut a key out from now on.

        Raises:
            NotFound: there is no such key, or it is revoked already.
        """
        now = self._clock.now()
        with writing(self._engine) as connection:
            done = connection.execute(
                keys.update().where(keys.c.id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=rfc3339(now))
            )
            if done.rowcount == 0:
                raise NotFound("valid key", key_id)
            record(connection, now, actor, "key.revoke", key_id, {})
