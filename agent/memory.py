"""What an agent keeps on disk: the last orders with the highest version seen, and each GPU's original limit.

Written to a file beside, flushed, renamed, and the folder flushed: after a crash at any instant the old or the new
text is there. Orders are kept before they are acted on, an original before the first write to its GPU.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.clock import UNKNOWN, ServerClock
from agent.machine import NEVER
from agent.orders import Orders, read_orders
from models.errors import InvalidInput
from models.lease import Version

_log = logging.getLogger("chergui.agent")


def write_durably(path: Path, content: Mapping[str, Any]) -> None:
    """The whole file or none of it.

    Raises:
        OSError: full disk, no permission.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_kept(path: Path) -> dict[str, Any] | None:
    """Content of a file; None where there is none, or where it cannot be read (said in the log)."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        raise ValueError("no object")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.error("%s cannot be read (%s); going on without it", path, error)
        return None


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier life left."""

    orders: Orders | None = None
    clock: ServerClock = UNKNOWN
    seen: Version = NEVER


class Memory:
    """The state folder of one agent."""

    def __init__(self, folder: Path, boot: str) -> None:
        self._orders = folder / "orders.json"
        self._originals = folder / "originals.json"
        self._disabled = folder / "disabled"
        self._boot = boot

    def load(self, now_s: float) -> Kept:
        """The last orders, for their default set and their hard limits; no lease comes back with them."""
        raw = read_kept(self._orders)
        if raw is None:
            return Kept()
        try:
            seen = Version.parse(raw["seen"])
            clock = ServerClock.remembered(
                float(raw["server_low_s"]),
                float(raw["server_high_s"]),
                float(raw["boot_s"]),
                raw["boot"] == self._boot,
                now_s,
            )
            orders = read_orders(json.dumps(raw["orders"]).encode())
        except (KeyError, TypeError, ValueError, InvalidInput) as error:
            _log.error("%s is damaged (%s); going on without it", self._orders, error)
            return Kept()
        return Kept(orders, clock, seen)

    def keep(self, orders: Orders, clock: ServerClock) -> None:
        """Keep orders as the highest that were seen.

        Raises:
            OSError: they could not be written.
        """
        content = {
            "seen": str(orders.version),
            "boot": self._boot,
            "boot_s": clock.at_s,
            "server_low_s": clock.low_s,
            "server_high_s": clock.high_s,
            "orders": orders.raw,
        }
        write_durably(self._orders, content)

    def forget(self) -> None:
        """Forget orders and version: the service was set up anew, or this node moved to another site."""
        self._orders.unlink(missing_ok=True)

    def originals(self) -> dict[str, float]:
        """Limit by UUID, W, as it was before the first write ever."""
        raw = read_kept(self._originals) or {}
        return {uuid: float(value) for uuid, value in raw.items() if isinstance(value, (int, float))}

    def save_original(self, uuid: str, limit_w: float) -> None:
        """Keep a GPU's limit, unless one is kept already: what a later life finds is our own.

        Raises:
            OSError: it could not be written.
        """
        kept = self.originals()
        if uuid not in kept:
            write_durably(self._originals, {**kept, uuid: limit_w})

    def drop_originals(self) -> None:
        """After they were restored."""
        self._originals.unlink(missing_ok=True)

    @property
    def disabled(self) -> bool:
        """Whether an operator took the agent out; it outlives a reboot."""
        return self._disabled.exists()

    def set_disabled(self, disabled: bool) -> None:
        """Take the agent out, or let it back in."""
        if disabled:
            write_durably(self._disabled, {"disabled": True})
        else:
            self._disabled.unlink(missing_ok=True)
