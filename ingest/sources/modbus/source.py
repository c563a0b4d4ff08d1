"""The source: a device's registers at each poll, in as few requests as its map allows.

A request that the device refuses is split into its values from then on (many refuse to be read over registers that
they do not have); a value that it refuses alone is left out and told. One that is silent costs one time-out, not one
for each request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ingest.catalogue import as_stored, conversion
from ingest.errors import SourceUnavailable
from ingest.points import Point, Tags, Value, canonical, split_metric, to_ns
from ingest.sources.modbus.decode import Block, blocks, number
from ingest.sources.modbus.link import Link, Refused, Silent
from ingest.sources.modbus.register_map import BITS, Register, RegisterMap
from ingest.sources.modbus.sunspec import NoSunSpec, Place, places

_log = logging.getLogger("chergui.ingest.modbus")


class _Wanted(NamedTuple):
    """A register at its place on the wire, and the tags of what it becomes."""

    register: Register
    at: int
    scale_at: int | None
    tags: Tags
    convert: Callable[[float], float]


class ModbusSource:
    """Points of one device by ``map_``; ``tags`` are those of the source, site and asset among them.

    ``left_out`` says, after each poll, which metrics the device did not tell, and why. ``flip`` are metrics whose
    sign is turned.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        map_: RegisterMap,
        tags: Mapping[str, str],
        *,
        period_s: float = 10.0,
        flip: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.period_s = period_s
        self.left_out: dict[str, str] = {}
        self._link, self._map = link, map_
        self._tags = dict(tags)
        self._flip = frozenset(flip)
        self._wanted: list[_Wanted] | None = None
        self._absent: dict[str, str] = {}
        self._split: set[Block] = set()

    def poll(self, now: datetime) -> Sequence[Point]:
        """One point a measurement, stamped ``now``, and one that says that the device answered.

        Raises:
            SourceUnavailable: it did not, or told nothing of what its map names.
        """
        begun = time.monotonic()
        try:
            if self._wanted is None:
                self._absent = {}
                self._wanted = self._laid_out(self._absent)
            left_out = dict(self._absent)
            words = self._read(self._wanted, left_out)
        except (Silent, NoSunSpec, Refused) as error:
            self._wanted = None  # after a restart, firmware and with it the chain of models may be others
            self._split.clear()
            raise SourceUnavailable(self.name, str(error), [self._answered(0, begun, now)]) from None
        points = self._points(self._wanted, words, left_out, to_ns(now))
        self._tell(left_out)
        if not points:
            reason = next(iter(left_out.values()), "its map names nothing that it has")
            raise SourceUnavailable(self.name, reason, [self._answered(1, begun, now)])
        return [*points, self._answered(1, begun, now)]

    def close(self) -> None:
        """Give the connection back."""
        self._link.close()

    def _answered(self, reachable: int, begun: float, now: datetime) -> Point:
        fields = (("reachable", reachable), ("fetch_s", time.monotonic() - begun))
        tags = canonical({**self._tags, "source": self.name, "target": self._link.target})
        return Point("source", tags, fields, to_ns(now))

    def _laid_out(self, left_out: dict[str, str]) -> list[_Wanted]:
        """Every register of the map with its place; SunSpec's are looked for first."""
        own = [_placed(one, 0, self._tags) for one in self._map.registers]
        if not self._map.models:
            return own
        seen: dict[int, int] = {}
        for place in places(self._link.read, self._map.sunspec_bases):
            number_ = next((k for k, model in enumerate(self._map.models) if place.id in model.ids), None)
            if number_ is None:
                continue
            seen[number_] = seen.get(number_, 0) + 1
            own += self._model(number_, seen[number_], place, left_out)
        for k, model in enumerate(self._map.models):
            if k not in seen:
                ids = ", ".join(map(str, model.ids))
                for register in model.registers:
                    left_out.setdefault(register.metric, f"the device has no SunSpec model {ids}")
        return own

    def _model(self, model: int, nth: int, place: Place, left_out: dict[str, str]) -> list[_Wanted]:
        tags = dict(self._tags)
        if nth > 1:  # a second string or battery behind the same address
            tags["asset"] = f"{tags.get('asset', self.name)}-{nth}"
        found = []
        for one in self._map.models[model].registers:
            if one.address + one.words > place.length + 2:
                left_out[one.metric] = f"the device's SunSpec model {place.id} is too short ({place.length})"
                continue
            found.append(_placed(one, place.start, tags))
        return found

    def _read(self, wanted: Sequence[_Wanted], left_out: dict[str, str]) -> dict[tuple[str, int], int]:
        """Words by table and address; what the device refuses is told in ``left_out``."""
        asked = [(one.register.table, one.at, one.register.words) for one in wanted]
        asked += [(one.register.table, one.scale_at, 1) for one in wanted if one.scale_at is not None]
        words: dict[tuple[str, int], int] = {}
        for block in blocks(asked, gap=self._map.gap, most=self._map.most):
            inside = sorted({one for one in asked if one[0] == block.table and block.start <= one[1] < block.end})
            if block not in self._split:
                try:
                    self._take(block, words)
                    continue
                except Refused as refused:
                    if len(inside) == 1:
                        self._leave_out(block, refused, left_out, wanted)
                        continue
                    self._split.add(block)
            for table, start, count in inside:
                alone = Block(table, start, start + count)
                try:
                    self._take(alone, words)
                except Refused as refused:
                    self._leave_out(alone, refused, left_out, wanted)
        return words

    def _take(self, block: Block, words: dict[tuple[str, int], int]) -> None:
        for k, word in enumerate(self._link.read(block)):
            words[block.table, block.start + k] = word

    def _leave_out(self, block: Block, refused: Refused, left_out: dict[str, str], wanted: Sequence[_Wanted]) -> None:
        for one in wanted:
            if one.register.table == block.table and block.start in (one.at, one.scale_at):
                left_out[one.register.metric] = f"{refused} at {block.table} {block.start}"

    def _points(
        self, wanted: Sequence[_Wanted], words: Mapping[tuple[str, int], int], left_out: dict[str, str], time_ns: int
    ) -> list[Point]:
        grouped: dict[tuple[str, Tags], list[tuple[str, Value]]] = {}
        for one in wanted:
            value = self._value(one, words)
            metric = one.register.metric
            if value is None:
                left_out.setdefault(metric, "the device says that it has no value")
                continue
            measurement, field = split_metric(metric)
            grouped.setdefault((measurement, one.tags), []).append((field, as_stored(metric, value)))
        return [Point(measurement, tags, tuple(f), time_ns) for (measurement, tags), f in grouped.items()]

    def _value(self, one: _Wanted, words: Mapping[tuple[str, int], int]) -> float | None:
        register = one.register
        raw = [words.get((register.table, one.at + k)) for k in range(register.words)]
        told = [word for word in raw if word is not None]
        if len(told) < len(raw):
            return None
        value: float | int | None = told[0]
        if register.table not in BITS:
            little = self._map.word_order == "little"
            value = number(told, register.type, little_words=little, swapped_bytes=self._map.swapped_bytes)
        if value is None or value in register.blanks:
            return None
        if register.bit is not None:
            value = int(value) >> register.bit & 1
        if one.scale_at is not None:
            power = words.get((register.table, one.scale_at))
            exponent = None if power is None else number([power], "sunspec_int16")
            if exponent is None or not -10 <= exponent <= 10:
                return None
            value = value * 10**exponent if exponent >= 0 else value / 10**-exponent
        if register.scale != 1.0 or register.offset:
            value = value * register.scale + register.offset
        value = one.convert(value)
        return -value if register.metric in self._flip else value

    def _tell(self, left_out: dict[str, str]) -> None:
        for metric in left_out.keys() - self.left_out.keys():
            _log.info("source %s does not tell %s: %s", self.name, metric, left_out[metric])
        self.left_out = left_out


def _placed(register: Register, start: int, tags: Mapping[str, str]) -> _Wanted:
    return _Wanted(
        register,
        start + register.address,
        None if register.scale_at is None else start + register.scale_at,
        canonical({**tags, **register.tags}),
        conversion(register.metric, register.unit),
    )
