"""Plain lines of line protocol, read fast: senders say the same heads and keys again and again.

A plain line is ASCII with one space between head, fields and timestamp, numbers only, nothing quoted or escaped.
What it shares with lines that the strict parser has read whole (:mod:`ingest.line_protocol`) is remembered; anything
that is not known and plain is handed back, undecided. So nothing is accepted here that is refused there.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest.points import INT64_MAX, INT64_MIN, Point, Tags, Value

_MOST_HEADS, _MOST_KEYS = 300_000, 10_000
_LONGEST = 20
_NO_STAMP = " "
"""What no part of a split line can be; the empty string is one, where a space ends a line."""

_NUMBER_BEGINS = frozenset("-.0123456789")  # not + and not the n of nan, which float() would take


class Memory:
    """Heads and field keys that were read whole before; bounded, and begun anew when it is full."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[str, Tags]] = {}
        self._keys: set[str] = set()

    def learn(self, line: str, point: Point) -> None:
        """Remember the head and the keys of a line and what they mean."""
        if "\\" in line or '"' in line or not line.isascii():
            return
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[line.partition(" ")[0]] = (point.measurement, point.tags)
        if len(self._keys) < _MOST_KEYS:
            self._keys.update(key for key, _ in point.fields)

    def read(self, lines: Iterable[str], unit_ns: int) -> list[Point | str]:
        """The point of each line that is known and plain, the line itself where the strict parser must decide.

        ``lines`` are ASCII. This loop is the hottest of the whole service: few words, and one exception for all that
        is unusual.
        """
        heads, keys, begins = self._heads, self._keys, _NUMBER_BEGINS
        new = tuple.__new__
        found: list[Point | str] = []
        fields: tuple[tuple[str, Value], ...]
        stamp, time_ns = _NO_STAMP, 0
        for line in lines:
            try:
                head, told, when = line.split(" ")
                measurement, tags = heads[head]
                if when != stamp:
                    if not when.isdigit() or len(when) > _LONGEST:
                        raise ValueError
                    stamp, time_ns = when, int(when) * unit_ns
                    if time_ns > INT64_MAX:
                        stamp = _NO_STAMP
                        raise ValueError
                if "," in told or told[-1] == "i":
                    fields = _several(told, keys)
                else:
                    key, word = told.split("=")
                    value = float(word)
                    if key not in keys or word[0] not in begins or "_" in word or value - value != 0.0:
                        raise ValueError
                    fields = ((key, value),)
                found.append(new(Point, (measurement, tags, fields, time_ns)))
            except (ValueError, LookupError):
                found.append(line)
        return found


def _several(told: str, keys: set[str]) -> tuple[tuple[str, Value], ...]:
    fields: list[tuple[str, Value]] = []
    for pair in told.split(","):
        key, word = pair.split("=")
        if key not in keys or word[0] not in _NUMBER_BEGINS or "_" in word:
            raise ValueError
        if word[-1] == "i":
            whole = int(word[:-1])
            if len(word) > _LONGEST or not INT64_MIN <= whole <= INT64_MAX:
                raise ValueError
            fields.append((key, whole))
        else:
            number = float(word)
            if number - number != 0.0:
                raise ValueError
            fields.append((key, number))
    if len({key for key, _ in fields}) < len(fields):
        raise ValueError
    return tuple(fields)
