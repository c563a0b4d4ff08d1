"""What an actuator does, and one that does nothing. Watts; milliwatts stay inside :mod:`agent.nvml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from agent.machine import Gpu
from models.errors import CherguiError


class DeviceLost(CherguiError):
    """One GPU cannot be reached or set now; the others can. ``uuid`` and ``reason`` say which and why."""

    code = "DeviceLost"

    def __init__(self, uuid: str, reason: str) -> None:
        self.uuid = uuid
        self.reason = reason
        super().__init__(f"GPU {uuid}: {reason}")


class NoDevices(CherguiError):
    """There is no way to the GPUs now: no library, no driver; ``reason`` says it."""

    code = "NoDevices"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the GPUs cannot be reached: {reason}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a GPU tells: the limit as requested, the one enforced (the least of all setters), power and temperature.

    ``busy``: share of the driver's last sample period with a kernel running. None: it does not tell.
    """

    limit_w: float
    enforced_w: float
    power_w: float | None = None
    temp_c: float | None = None
    busy: float | None = None


class Actuator(Protocol):
    """A way to this machine's GPUs. Every method may raise NoDevices, those with a UUID DeviceLost."""

    def gpus(self) -> Sequence[Gpu]:
        """All GPUs with what they accept."""
        ...

    def read(self, uuid: str) -> Reading:
        """Limits and power now."""
        ...

    def set_limit(self, uuid: str, limit_w: float) -> None:
        """Hold a GPU to a limit that it accepts, rounded down to what it can express."""
        ...

    def restore(self, uuid: str, limit_w: float | None) -> None:
        """Take away all that was set; None: the original is not known, take the driver's default."""
        ...

    def close(self) -> None:
        """Give the library back."""
        ...


class DryRun:
    """Decides and reports as always, and sets nothing: real GPUs are read, or ``count`` imaginary ones stand in."""

    def __init__(self, reader: Actuator | None, count: int = 0) -> None:
        self._reader = reader
        self._imagined: dict[str, float] = {}
        self._made_up = [Gpu(k, f"GPU-dry-run-{k}", 200.0, 700.0) for k in range(count)]

    def gpus(self) -> Sequence[Gpu]:
        """See :class:`Actuator`."""
        return self._reader.gpus() if self._reader else self._made_up

    def read(self, uuid: str) -> Reading:
        """As if the limits had been set."""
        real = self._reader.read(uuid) if self._reader else Reading(700.0, 700.0)
        limit = self._imagined.get(uuid)
        return real if limit is None else replace(real, limit_w=limit, enforced_w=limit)

    def set_limit(self, uuid: str, limit_w: float) -> None:
        """Imagine it."""
        self._imagined[uuid] = limit_w

    def restore(self, uuid: str, limit_w: float | None) -> None:  # noqa: ARG002
        """Imagine it gone."""
        self._imagined.pop(uuid, None)

    def close(self) -> None:
        """See :class:`Actuator`."""
        if self._reader:
            self._reader.close()
