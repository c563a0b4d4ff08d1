"""The history: one Parquet file a UTC day and level, sorted by series and time, never changed once it has its name.

Columns of ``raw``: ``series`` (number), ``time_ns``, ``value`` (floats), ``whole`` (integers; booleans as 0 and 1),
``text``, ``believed_ms``; of the levels: ``series``, ``time_ns`` (begin of the slot), ``mean``, ``n``, ``low``,
``high``. Both carry ``metric`` and ``tags`` (JSON) as well, so that pandas, DuckDB or Polars need nothing else.
Heavy: pulls in NumPy and PyArrow; only what reads or moves old days imports it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import StoreUnavailable
from ingest.stores.layout import RAW, Level

_NAMES = [("metric", pa.dictionary(pa.int32(), pa.string())), ("tags", pa.dictionary(pa.int32(), pa.string()))]
_RAW = pa.schema(
    [
        ("series", pa.int64()),
        ("time_ns", pa.int64()),
        ("value", pa.float64()),
        ("whole", pa.int64()),
        ("text", pa.string()),
        ("believed_ms", pa.int64()),
        *_NAMES,
    ]
)
_MEANS = pa.schema(
    [
        ("series", pa.int64()),
        ("time_ns", pa.int64()),
        ("mean", pa.float64()),
        ("n", pa.int64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        *_NAMES,
    ]
)
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_ROWS_A_GROUP = 1 << 17


def schema_of(level: Level) -> pa.Schema:
    """Columns of a level's files."""
    return _RAW if level == RAW else _MEANS


@contextmanager
def new_file(path: Path, level: Level) -> Iterator[pq.ParquetWriter]:
    """Write a file under another name; it gets its own, durably, when the block ends without an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    delta = {"time_ns": "DELTA_BINARY_PACKED"} | ({"believed_ms": "DELTA_BINARY_PACKED"} if level == RAW else {})
    try:
        with pq.ParquetWriter(
            part,
            schema_of(level),
            compression="zstd",
            use_dictionary=["series", "text", "metric", "tags", "n"]
            if level != RAW
            else ["series", "text", "metric", "tags"],
            column_encoding=delta,
        ) as writer:
            yield writer
        for place in (part, *path.parents[1:3]):
            _sync(place)
        part.rename(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def rows(path: Path, low: int, high: int | None, columns: Sequence[str]) -> pa.Table:
    """Rows of the series ``low`` to ``high`` (both included; None: no end) of a file.

    Raises:
        StoreUnavailable: the file is gone or damaged.
    """
    try:
        meta = _metadata(path)
        groups = [k for k, (least, most) in enumerate(_ranges(path)) if most >= low and (high is None or least <= high)]
        with pq.ParquetFile(path, metadata=meta) as file:
            table = file.read_row_groups(groups, columns=list(columns), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise StoreUnavailable(str(path), f"{error}; restore it from a backup") from error
    series = table["series"].to_numpy()
    # Sorted by series: what is wanted is one slice.
    begin = int(np.searchsorted(series, low, "left"))
    end = len(series) if high is None else int(np.searchsorted(series, high, "right"))
    return table.slice(begin, end - begin)


def samples(path: Path, series: int, first: int, last: int) -> list[tuple[int, float | int | str, int]]:
    """Time, stored value and belief time of a series in ``[first, last)``."""
    table = rows(path, series, series, ["series", "time_ns", "value", "whole", "text", "believed_ms"])
    values = [
        value if value is not None else whole if whole is not None else text
        for value, whole, text in zip(*(table[name].to_pylist() for name in ("value", "whole", "text")), strict=True)
    ]
    found = zip(table["time_ns"].to_pylist(), values, table["believed_ms"].to_pylist(), strict=True)
    return [row for row in found if first <= row[0] < last]


def sums(
    path: Path, level: Level, series: int, unsigned: bool, span: tuple[int, int], first: int, width: int
) -> dict[int, tuple[float, int]]:
    """Sum and count of the samples of a series within ``span``, by slot of ``width`` counted from ``first``."""
    if level == RAW:
        table = rows(path, series, series, ["series", "time_ns", "value", "whole"])
        values = np.where(table["value"].is_valid(), table["value"].fill_null(0.0), table["whole"].fill_null(0))
        totals = _unsigned(values) if unsigned else values
        counts = np.ones(len(totals), dtype=np.int64)
    else:
        table = rows(path, series, series, ["series", "time_ns", "mean", "n"])
        counts = table["n"].to_numpy()
        totals = table["mean"].to_numpy() * counts
    times = table["time_ns"].to_numpy()
    inside = (times >= span[0]) & (times < span[1])
    slots, place = np.unique((times[inside] - first) // width, return_inverse=True)
    total, count = np.bincount(place, totals[inside]), np.bincount(place, counts[inside])
    return {int(s): (float(t), int(n)) for s, t, n in zip(slots, total, count, strict=True)}


def _unsigned(values: Floats) -> Floats:
    return np.where(values < 0, values + 2.0**64, values)


class Means(NamedTuple):
    """Columns of a level, sorted by series and time: means, how many samples, the least and the greatest."""

    series: Numbers
    time_ns: Numbers
    mean: Floats
    n: Numbers
    low: Floats
    high: Floats


def slot_means(finer: Means, step_ns: int) -> Means:
    """Means of slots of ``step_ns`` from finer ones (or from samples, as slots of no length)."""
    slots = finer.time_ns // step_ns * step_ns
    if not len(slots):
        return finer
    series, counts = finer.series, finer.n
    news = np.flatnonzero(np.r_[True, (series[1:] != series[:-1]) | (slots[1:] != slots[:-1])])
    n = np.add.reduceat(counts, news)
    mean = np.add.reduceat(finer.mean * counts, news) / n
    low, high = np.minimum.reduceat(finer.low, news), np.maximum.reduceat(finer.high, news)
    return Means(series[news], slots[news], mean, n, low, high)


def with_names(columns: dict[str, Any], names: dict[int, tuple[str, str]], level: Level) -> pa.Table:
    """A table of a level; ``names``: metric and tags of each series."""
    numbers, place = np.unique(columns["series"], return_inverse=True)
    told = [names[int(number)] for number in numbers]
    for k, name in enumerate(("metric", "tags")):
        words = pa.array([one[k] for one in told], pa.string())
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), words)
    return pa.table(columns, schema=schema_of(level))


def append(writer: pq.ParquetWriter, table: pa.Table) -> None:
    """Add rows to a file that is being written; a row group holds whole tables, so that series are found by group."""
    if len(table):
        writer.write_table(table, row_group_size=_ROWS_A_GROUP)


def sweep(folder: Path, kept: Iterable[Path], before_s: float) -> int:
    """Remove files that no reader can know any more: not in ``kept``, older than ``before_s`` (seconds since 1970)."""
    wanted = set(kept)
    gone = 0
    for path in folder.glob("level=*/date=*/*"):
        if path not in wanted and path.stat().st_mtime < before_s:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


@lru_cache(maxsize=512)
def _metadata(path: Path) -> pq.FileMetaData:
    return pq.read_metadata(path)


@lru_cache(maxsize=512)
def _ranges(path: Path) -> list[tuple[int, int]]:
    """Least and greatest series of each row group."""
    meta = _metadata(path)
    found = (meta.row_group(k).column(0).statistics for k in range(meta.num_row_groups))
    return [(one.min, one.max) for one in found]


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
