"""Registers of 16 bits into numbers, and which registers to ask for together. Pure.

Words and bytes are big-endian on the wire (MODBUS Application Protocol V1.1b3, 4.2); for values of several words
devices differ, so the order is an argument. What SunSpec calls "not implemented" (Information Model Specification,
table of data types) is None in its own types.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Kind = Literal[
    "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
    "sunspec_int16", "sunspec_uint16", "sunspec_int32", "sunspec_uint32", "sunspec_acc32", "sunspec_acc64",
]  # fmt: skip
_FORMAT: dict[str, str] = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
    "sunspec_int16": "h",
    "sunspec_uint16": "H",
    "sunspec_int32": "i",
    "sunspec_uint32": "I",
    "sunspec_acc32": "I",
    "sunspec_acc64": "Q",
}
WIDTH: dict[str, int] = {kind: struct.calcsize(">" + letter) // 2 for kind, letter in _FORMAT.items()}
_NOT_IMPLEMENTED: dict[str, int] = {
    "sunspec_int16": -(1 << 15),
    "sunspec_uint16": 0xFFFF,
    "sunspec_int32": -(1 << 31),
    "sunspec_uint32": 0xFFFF_FFFF,
    "sunspec_acc32": 0,
    "sunspec_acc64": 0,
}


def number(
    words: Sequence[int], kind: Kind, *, little_words: bool = False, swapped_bytes: bool = False
) -> float | int | None:
    """The value of ``WIDTH[kind]`` words; None where SunSpec says that there is none."""
    ordered = list(reversed(words)) if little_words else list(words)
    if swapped_bytes:
        ordered = [(word & 0xFF) << 8 | word >> 8 for word in ordered]
    value: float | int = struct.unpack(">" + _FORMAT[kind], struct.pack(f">{len(ordered)}H", *ordered))[0]
    return None if _NOT_IMPLEMENTED.get(kind) == value else value


class Block(NamedTuple):
    """Registers [start, end) of a table that are asked for in one request."""

    table: str
    start: int
    end: int


def blocks(wanted: Iterable[tuple[str, int, int]], *, gap: int, most: int) -> list[Block]:
    """Requests for ``wanted`` (table, address, words), none split; up to ``gap`` unused registers are read over."""
    found: list[Block] = []
    for table, start, words in sorted(set(wanted)):
        last = found[-1] if found else None
        end = start + words
        if last is not None and last.table == table and start <= last.end + gap and end - last.start <= most:
            found[-1] = last._replace(end=max(last.end, end))
        else:
            found.append(Block(table, start, end))
    return found
