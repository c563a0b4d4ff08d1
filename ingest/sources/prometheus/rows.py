"""From samples with labels to points of ours: metrics renamed, units turned into those that we keep.

Several rows may yield the same series; the first one that does wins, so that a better reading stands above the one
that it replaces. Several *samples* of one series, as a GPU in MIG mode shows its whole power once for each instance,
become what the row says; where it says nothing they are refused, because a sum or a mean of them would be a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from ingest.catalogue import as_stored, conversion
from ingest.points import Point, Tags, Value, canonical, split_metric
from models.telemetry import QueryRow, SampleRow

_Row = TypeVar("_Row", SampleRow, QueryRow)
_KNOWN_LABELS = 2_000_000  # texts of labels remembered; a page of new ones each time must not fill the memory
_JOIN: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "sum": sum,
    "mean": lambda values: sum(values) / len(values),
}
# DCGM's numbers for "no value, and why" (dcgm_structs.h, DCGM_*_BLANK and the reasons after it), 16 of each kind.
_BLANKS = frozenset(float(base + k) for base in (0x7FFFFFF0, 2**47) for k in range(16))
_BLANK_64 = float(0x7FFFFFFFFFFFFFF0)


def is_dcgm_blank(value: float) -> bool:
    """Whether DCGM means by ``value`` that there is none."""
    return value >= _BLANK_64 or value in _BLANKS


class Place(NamedTuple):
    """Where a sample goes, worked out once for each text of labels."""

    row: int
    tags: Tags
    texts: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Mapped:
    """``points``, and what could not become one: reasons (bounded), with how many samples each cost."""

    points: list[Point]
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, why: str) -> None:
        """Count a sample that was left out."""
        if why in self.refused or len(self.refused) < 50:
            self.refused[why] = self.refused.get(why, 0) + 1


class RowMap(Generic[_Row]):
    """Rows made ready. ``tags`` are those of the source, the site's name among them.

    Raises:
        ValueError: a unit does not fit its metric.
    """

    def __init__(self, rows: Iterable[_Row], tags: Mapping[str, str]) -> None:
        self.rows: tuple[_Row, ...] = tuple(rows)
        self._tags = dict(tags)
        self._names = [split_metric(row.metric) for row in self.rows]
        self._convert = [conversion(row.metric, row.unit) for row in self.rows]
        self._places: dict[tuple[object, str], tuple[Place, ...]] = {}

    def places(
        self, key: object, text: str, numbers: Iterable[int], labels: Callable[[str], Mapping[str, str]]
    ) -> tuple[Place, ...]:
        """Where samples with these labels go, by each of the rows ``numbers``.

        Raises:
            ValueError: the labels cannot be read.
        """
        found = self._places.get((key, text))
        if found is None:
            told = labels(text)
            made = (self._place(number, told) for number in numbers)
            found = tuple(place for place in made if place is not None)
            if len(self._places) >= _KNOWN_LABELS:
                self._places.clear()
            self._places[key, text] = found
        return found

    def _place(self, number: int, labels: Mapping[str, str]) -> Place | None:
        row = self.rows[number]
        texts: tuple[tuple[str, str], ...] = ()
        if isinstance(row, SampleRow):
            if any(labels.get(name) != wanted for name, wanted in row.labels.items()):
                return None
            texts = tuple((field, labels[label]) for field, label in row.texts_from.items() if labels.get(label))
        own = {tag: labels[label] for tag, label in row.tags_from.items() if labels.get(label)}
        return Place(number, canonical({**self._tags, **own, **row.tags}), texts)

    def mapped(self, samples: Iterable[tuple[Place, float, int]]) -> Mapped:
        """Points of samples that know their place, with value and time in nanoseconds."""
        out = Mapped([])
        winners: dict[tuple[str, str, Tags, int], tuple[int, list[float]]] = {}
        texts: dict[tuple[str, Tags, int], dict[str, set[str]]] = {}
        for place, value, time_ns in samples:
            measurement, name = self._names[place.row]
            key = (measurement, name, place.tags, time_ns)
            held = winners.get(key)
            if held is None or place.row < held[0]:
                winners[key] = (place.row, [value])
            elif place.row == held[0]:
                held[1].append(value)
            for text, said in place.texts:
                texts.setdefault((measurement, place.tags, time_ns), {}).setdefault(text, set()).add(said)
        grouped: dict[tuple[str, Tags, int], list[tuple[str, Value]]] = {}
        for (measurement, name, tags, time_ns), (number, values) in winners.items():
            one = self._one(number, values, out)
            if one is not None:
                metric = self.rows[number].metric
                grouped.setdefault((measurement, tags, time_ns), []).append((name, as_stored(metric, one)))
        for group, said_by in texts.items():
            if group in grouped:
                grouped[group] += [(text, ",".join(sorted(said))) for text, said in said_by.items()]
        out.points = [Point(measurement, tags, tuple(f), at) for (measurement, tags, at), f in grouped.items()]
        return out

    def _one(self, number: int, values: list[float], out: Mapped) -> float | None:
        """The value of a series, in the unit that it is kept in; None where there is none."""
        row = self.rows[number]
        if len(values) > 1 and len(set(values)) > 1:
            join = _JOIN.get(row.repeats)
            if join is None:
                out.refuse(
                    f"{row.metric}: {len(values)} different samples of one series; tell them apart by tags_from, "
                    "or say what they become by repeats"
                )
                return None
            return self._convert[number](join(values))
        if row.repeats == "sum":
            return self._convert[number](sum(values))
        return self._convert[number](values[0])
