"""Where a SunSpec device has its models: a chain of (id, length) blocks after the letters "SunS".

SunSpec Information Model Specification, "Modbus map": the chain begins at 40000, 0 or 50000 and ends with id 0xFFFF.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.sources.modbus.decode import Block
from ingest.sources.modbus.link import Refused

_MARK = [0x5375, 0x6E53]  # "SunS"
_END = 0xFFFF
_MOST_MODELS = 100


class Place(NamedTuple):
    """A model of a device: its first register (the id's), and how many follow the length."""

    id: int
    start: int
    length: int


class NoSunSpec(Exception):
    """The device has no chain of models where it was looked for."""


def places(read: Callable[[Block], list[int]], bases: Sequence[int]) -> list[Place]:
    """Every model of a device, in the order of its chain.

    Raises:
        NoSunSpec: no chain begins at any of ``bases``, or it never ends.
        Silent: as ``read``.
    """
    for base in bases:
        try:
            if read(Block("holding", base, base + 2)) != _MARK:
                continue
        except Refused:
            continue
        return _chain(read, base + 2)
    raise NoSunSpec(f"no SunSpec device: the letters SunS stand at none of {', '.join(map(str, bases))}")


def _chain(read: Callable[[Block], list[int]], at: int) -> list[Place]:
    found: list[Place] = []
    while len(found) < _MOST_MODELS and at + 2 <= 65536:
        number, length = read(Block("holding", at, at + 2))
        if number == _END:
            return found
        found.append(Place(number, at, length))
        at += 2 + length
    raise NoSunSpec(f"the chain of SunSpec models does not end (at {at} after {len(found)} models)")
