"""The list of peers: what each installs and which script runs it."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("pins.toml")
OURS, YARDSTICK = "chergui", "highspy"
"""The peer that is us, and the one that every ratio is taken against."""

_KEYS = {"name", "script", "note", "pins", "ours"}
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,_-]+\])?(==|<|<=|~=)[0-9][A-Za-z0-9.]*")


class BadPins(ValueError):
    """The list of peers says something that cannot be used; the message names peer and field."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One solver that takes part."""

    name: str
    script: str
    note: str
    pins: tuple[str, ...] = ()
    ours: bool = False

    @property
    def key(self) -> str:
        """Name of its environment: another pin or another Python is another environment."""
        stamp = json.dumps([self.pins, platform.python_version()])
        return f"{self.name}-{hashlib.sha256(stamp.encode()).hexdigest()[:10]}"


def read_peers(path: Path = FILE) -> list[Peer]:
    """All peers of a list.

    Raises:
        BadPins: an unknown or missing key, a peer told twice, a pin that pins nothing.
    """
    rows: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("peer", [])
    peers = [_peer(row) for row in rows]
    for peer in peers:
        if sum(other.name == peer.name for other in peers) > 1:
            raise BadPins(f"peer {peer.name} stands twice in {path.name}")
    for name in (OURS, YARDSTICK):
        if not any(peer.name == name for peer in peers):
            raise BadPins(f"{path.name} has no peer {name}, which every ratio needs")
    return peers


def _peer(row: dict[str, Any]) -> Peer:
    name = str(row.get("name", "without a name"))
    if unknown := sorted(row.keys() - _KEYS):
        raise BadPins(f"peer {name}: unknown key {unknown[0]}; known are {', '.join(sorted(_KEYS))}")
    if missing := sorted({"name", "script", "note"} - row.keys()):
        raise BadPins(f"peer {name}: {missing[0]} is missing")
    pins, ours = tuple(row.get("pins", ())), bool(row.get("ours", False))
    for pin in pins:
        if not _PIN.fullmatch(pin):
            raise BadPins(f"peer {name}: {pin!r} is no pin; write distribution==version")
    if not ours and not any("==" in pin for pin in pins):
        raise BadPins(f"peer {name}: no distribution is pinned to a version")
    return Peer(name, row["script"], row["note"], pins, ours)


def chosen(peers: Sequence[Peer], names: str | None) -> list[Peer]:
    """The peers of a comma-separated list, or all; we and the yardstick always take part.

    Raises:
        BadPins: a name that no peer has.
    """
    if names is None:
        return list(peers)
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := sorted(wanted - {peer.name for peer in peers}):
        raise BadPins(f"there is no peer {unknown[0]}; there are {', '.join(peer.name for peer in peers)}")
    return [peer for peer in peers if peer.name in wanted | {OURS, YARDSTICK}]
