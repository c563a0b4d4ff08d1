"""An answer of ``/caps/nodes/{node}`` or ``/caps/pools/{pool}``, checked in full before anything of it is believed.

Schema 1.x: fields that this version does not know are passed over, those that it knows must be right. Everything that
is wrong is named at once (:class:`models.errors.InvalidInput`), and the answer as a whole is not taken.
Watts at the GPU; instants as epoch seconds of the service's clock, periods half-open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339
from models.lease import Timers, Version
from models.strict_json import loads, pointer

MAX_LEASE_S = 86_400.0
"""Longest lease that is believed, a day."""
_DEFAULT_SERVED = frozenset({"FAILSAFE", "NO_PLAN", "LEASE_OVER", "PLAN_OVER"})


@dataclass(frozen=True, slots=True)
class Span:
    """A limit for [start, end); None: no cap is planned. ``hard``: it outlives the lease, to its own end."""

    start_s: float
    end_s: float
    limit_w: float | None
    hard: bool = False

    def touches(self, low_s: float, high_s: float) -> bool:
        """Whether it may hold at a moment that lies somewhere in [low, high]."""
        return self.start_s <= high_s and self.end_s > low_s


@dataclass(frozen=True, slots=True)
class DefaultSet:
    """What the pool does without a plan: a set of measures, not a number."""

    limit_w: float
    idle_limit_w: float
    admit_starts: bool = False
    suspend_order: tuple[str, ...] = ()
    nodes_may_switch_off: bool = False


@dataclass(frozen=True, slots=True)
class GpuRow:
    """The service's word on one GPU of the node, by index or UUID."""

    index: int
    uuid: str | None
    job: str | None
    limit_w: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Orders:
    """A checked answer. ``raw`` is what is kept on disk."""

    version: Version
    site: str
    source: str
    reason: str | None
    valid_until_s: float | None
    timers: Timers
    default: DefaultSet
    min_w: float
    max_w: float
    gpus: tuple[GpuRow, ...] | None
    jobs: Mapping[str, tuple[Span, ...]]
    pool_spans: tuple[Span, ...] = ()
    ramp_w_per_s: float | None = None
    jitter_s: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def calls_for_default_set(self) -> bool:
        """Whether the service itself says that the whole default set holds now (shadow mode changes nothing here)."""
        return self.source == "default" and self.reason in _DEFAULT_SERVED

    def row(self, index: int, uuid: str) -> GpuRow | None:
        """The service's row of a GPU; by UUID where rows carry one."""
        return next((r for r in self.gpus or () if (r.uuid == uuid if r.uuid else r.index == index)), None)

    def planned_w(self, index: int, uuid: str, jobs: Iterable[str], now: tuple[float, float]) -> float:
        """Limit that the plan gives a GPU at a moment in the interval ``now``.

        The service's placement where it tells one (rows of a node), else ``jobs``, those that are placed on the GPU
        as this machine knows. A job that no schedule names, or that is not to run now, gets the default; a GPU
        without a job the idle limit. Of several, the least.
        """
        if self.source != "plan":
            return self.default.limit_w
        ceiling = min((_watts(s.limit_w, self.max_w) for s in self.pool_spans if s.touches(*now)), default=math.inf)
        if self.gpus is not None:
            row = self.row(index, uuid)
            if row is None:
                return min(ceiling, self.default.limit_w)
            return min(ceiling, self._along(row.spans, now) if row.spans else row.limit_w)
        limits = [self._along(self.jobs[job], now) if job in self.jobs else self.default.limit_w for job in jobs]
        return min([ceiling, *limits] if limits else [ceiling, self.default.idle_limit_w])

    def hard_w(self, index: int, uuid: str, jobs: Iterable[str], now: tuple[float, float]) -> list[float]:
        """Restrictions that outlive a lease and may hold now."""
        row = self.row(index, uuid)
        spans = [*self.pool_spans, *(row.spans if row else ()), *(s for job in jobs for s in self.jobs.get(job, ()))]
        return [_watts(s.limit_w, self.max_w) for s in spans if s.hard and s.touches(*now)]

    def _along(self, spans: tuple[Span, ...], now: tuple[float, float]) -> float:
        held = [_watts(s.limit_w, self.max_w) for s in spans if s.touches(*now)]
        if not _covers(spans, now):
            held.append(self.default.limit_w)
        return min(held)


def _watts(limit_w: float | None, max_w: float) -> float:
    return max_w if limit_w is None else limit_w


def _covers(spans: tuple[Span, ...], now: tuple[float, float]) -> bool:
    """Whether ordered spans leave no moment of the interval uncovered."""
    low, high = now
    for span in spans:
        if span.start_s <= low < span.end_s:
            low = span.end_s
    return low > high


class _Reader:
    """Collects faults while it reads; a wrong value reads as a harmless one of its type."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        self.faults.append(Fault(pointer(*path), code, message))

    def map(self, raw: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw
        self.fault(path, "not_object", f"{_shown(raw)} is no object")
        return {}

    def list(self, raw: Any, path: tuple[str | int, ...]) -> list[Any]:
        if isinstance(raw, list):
            return raw
        self.fault(path, "not_list", f"{_shown(raw)} is no list")
        return []

    def text(self, raw: Any, path: tuple[str | int, ...]) -> str:
        if isinstance(raw, str) and raw:
            return raw
        self.fault(path, "not_text", f"{_shown(raw)} is no text")
        return "?"

    def flag(self, raw: Any, path: tuple[str | int, ...]) -> bool:
        if isinstance(raw, bool):
            return raw
        self.fault(path, "not_bool", f"{_shown(raw)} is neither true nor false")
        return False

    def number(self, raw: Any, path: tuple[str | int, ...], low: float, high: float) -> float:
        if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not math.isfinite(raw):
            self.fault(path, "not_number", f"{_shown(raw)} is no finite number")
            return low
        if not low <= raw <= high:
            self.fault(path, "out_of_range", f"{raw:g} lies outside {low:g} to {high:g}")
            return low
        return float(raw)

    def whole(self, raw: Any, path: tuple[str | int, ...]) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < 1 << 62:
            return raw
        self.fault(path, "not_whole", f"{_shown(raw)} is no whole number from 0")
        return 0

    def instant(self, raw: Any, path: tuple[str | int, ...]) -> float:
        try:
            return parse_rfc3339(raw if isinstance(raw, str) else "").timestamp()
        except ValueError:
            self.fault(path, "not_time", f"{_shown(raw)} is no RFC 3339 time with an offset")
            return 0.0


def _shown(raw: Any) -> str:
    return repr(raw)[:40]


def read_orders(body: bytes, *, node: str | None = None, pool: str | None = None, gpus: int | None = None) -> Orders:
    """Checked orders from the body of an answer.

    Args:
        body: as it came.
        node, pool: what was asked for; the answer must say the same.
        gpus: how many this machine has; a job placed beyond is a wrong placement. None: not known.

    Raises:
        InvalidInput: with everything that is wrong.
    """
    what = "the answer"
    raw = loads(body, what)
    read = _Reader()
    root = read.map(raw, ())
    orders = _orders(read, root)
    for key, asked in (("node", node), ("pool", pool)):
        if asked is not None and root.get(key) != asked:
            read.fault((key,), "not_asked_for", f"{_shown(root.get(key))} was not asked for, {asked!r} was")
    if gpus is not None:
        for k, row in enumerate(orders.gpus or ()):
            # A row without a job is for a GPU that has failed, or was never there: it harms nobody.
            if row.uuid is None and row.index >= gpus and row.job is not None:
                read.fault(("gpus", k, "index"), "wrong_placement", f"there is no GPU {row.index}, only {gpus}")
    if read.faults:
        raise InvalidInput(what, read.faults)
    return orders


def _orders(read: _Reader, root: dict[str, Any]) -> Orders:
    schema = read.text(root.get("schema_version"), ("schema_version",))
    if schema.partition(".")[0] != "1":
        read.fault(("schema_version",), "other_schema", f"{_shown(schema)}: this agent reads 1.x; bring it up to date")
    version = read.map(root.get("plan_version"), ("plan_version",))
    source = root.get("source")
    if source not in ("plan", "default"):
        read.fault(("source",), "not_source", f"{_shown(source)} is neither plan nor default")
    until = root.get("valid_until")
    clamp = read.map(root.get("clamp"), ("clamp",))
    min_w = read.number(clamp.get("min_w"), ("clamp", "min_w"), 0.0, 1e5)
    max_w = max(min_w, read.number(clamp.get("max_w"), ("clamp", "max_w"), min_w, 1e5))
    default = read.map(root.get("default"), ("default",))
    rows, jobs = root.get("gpus"), root.get("jobs")
    if rows is None and jobs is None:
        read.fault(("gpus",), "missing", "neither gpus nor jobs: this is no answer for a node or a pool")
    valid_until_s = None if until is None else read.instant(until, ("valid_until",))
    if source == "plan" and until is None:
        read.fault(("valid_until",), "missing", "a plan says until when it is valid")
    return Orders(
        version=Version(
            read.whole(version.get("epoch"), ("plan_version", "epoch")),
            read.whole(version.get("seq"), ("plan_version", "seq")),
        ),
        site=read.text(root.get("site"), ("site",)),
        source=str(source),
        reason=root["reason"] if isinstance(root.get("reason"), str) else None,
        valid_until_s=valid_until_s,
        timers=_timers(read, read.map(root.get("lease"), ("lease",))),
        default=_default(read, default, min_w, max_w),
        min_w=min_w,
        max_w=max_w,
        gpus=None if rows is None else _rows(read, rows, min_w, max_w),
        jobs={} if jobs is None else _jobs(read, jobs, min_w, max_w),
        pool_spans=_spans(read, root.get("periods", []), ("periods",), min_w, max_w, in_order=False),
        ramp_w_per_s=_optional(read, default, "ramp_up_w_per_s"),
        jitter_s=_optional(read, default, "random_up_delay_s"),
        raw=root,
    )


def _optional(read: _Reader, default: dict[str, Any], name: str) -> float | None:
    return None if default.get(name) is None else read.number(default[name], ("default", name), 0.0, 3600.0)


def _timers(read: _Reader, lease: dict[str, Any]) -> Timers:
    ttl = read.number(lease.get("ttl_s"), ("lease", "ttl_s"), 0.1, MAX_LEASE_S)
    poll = read.number(lease.get("poll_s"), ("lease", "poll_s"), 0.05, MAX_LEASE_S)
    stale = read.number(lease.get("stale_after_s"), ("lease", "stale_after_s"), 0.05, MAX_LEASE_S)
    return Timers(min(poll, ttl), min(stale, ttl), ttl)


def _default(read: _Reader, raw: dict[str, Any], min_w: float, max_w: float) -> DefaultSet:
    limit = read.number(raw.get("limit_w"), ("default", "limit_w"), min_w, max_w)
    order = read.list(raw.get("suspend_order", []), ("default", "suspend_order"))
    return DefaultSet(
        limit_w=limit,
        idle_limit_w=read.number(raw.get("idle_limit_w", limit), ("default", "idle_limit_w"), min_w, max_w),
        admit_starts=read.flag(raw.get("admit_starts", False), ("default", "admit_starts")),
        suspend_order=tuple(read.text(word, ("default", "suspend_order", k)) for k, word in enumerate(order)),
        nodes_may_switch_off=read.flag(raw.get("nodes_may_switch_off", False), ("default", "nodes_may_switch_off")),
    )


def _rows(read: _Reader, raw: Any, min_w: float, max_w: float) -> tuple[GpuRow, ...]:
    rows: list[GpuRow] = []
    for k, item in enumerate(read.list(raw, ("gpus",))):
        row = read.map(item, ("gpus", k))
        index = read.whole(row.get("index"), ("gpus", k, "index"))
        if index in {r.index for r in rows}:
            read.fault(("gpus", k, "index"), "twice", f"GPU {index} stands twice")
        limit = read.number(row.get("limit_w"), ("gpus", k, "limit_w"), min_w, max_w)
        spans = _spans(read, row.get("periods", []), ("gpus", k, "periods"), min_w, max_w)
        texts = [row[name] if isinstance(row.get(name), str) else None for name in ("uuid", "job")]
        rows.append(GpuRow(index, texts[0], texts[1], limit, spans))
    return tuple(rows)


def _jobs(read: _Reader, raw: Any, min_w: float, max_w: float) -> dict[str, tuple[Span, ...]]:
    found: dict[str, tuple[Span, ...]] = {}
    for k, item in enumerate(read.list(raw, ("jobs",))):
        job = read.map(item, ("jobs", k))
        name = read.text(job.get("job"), ("jobs", k, "job"))
        if name in found:
            read.fault(("jobs", k, "job"), "twice", f"job {name!r} stands twice")
        found[name] = _spans(read, job.get("periods"), ("jobs", k, "periods"), min_w, max_w)
    return found


def _spans(
    read: _Reader, raw: Any, path: tuple[str | int, ...], min_w: float, max_w: float, *, in_order: bool = True
) -> tuple[Span, ...]:
    spans: list[Span] = []
    items = read.list(raw, path)
    # Copies of one aggregated job may run side by side with different limits; the least of them counts.
    in_order = in_order and not any(isinstance(item, dict) and item.get("count", 1) != 1 for item in items)
    for k, item in enumerate(items):
        row = read.map(item, (*path, k))
        start = read.instant(row.get("start"), (*path, k, "start"))
        end = read.instant(row.get("end"), (*path, k, "end"))
        limit = row.get("limit_w", math.nan)
        if limit is not None:
            limit = read.number(limit, (*path, k, "limit_w"), min_w, max_w)
        if end <= start:
            read.fault((*path, k, "end"), "ends_before_start", "a period ends after its start")
        if in_order and spans and start < spans[-1].end_s:
            read.fault((*path, k, "start"), "overlap", "periods stand in order and do not overlap")
        spans.append(Span(start, end, limit, row.get("hard") is True))
    return tuple(sorted(spans, key=lambda span: span.start_s))
