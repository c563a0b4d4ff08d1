"""Cap W, drawn W and throughput of a GPU: points with their evidence, and the levels of a job made of them.

Speed is relative to the uncapped run of the same workload. The power axis is *drawn* watts, averaged
over a run: a cap of 400 W does not mean that 400 W flow. What a plan may use is the upper concave
envelope of the points, because only on it does more power never buy less speed per watt than a mix of
its neighbours does; points under it are dropped and named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field

from models.checking import Above0, AtLeast0, Checked, Evidence, Fraction, Name, Text
from models.errors import Fault
from models.jobs import Workload


class CapPoint(Checked):
    """One operating point of one GPU."""

    limit_w: Above0 = Field(description="power limit that was set")
    drawn_w: Above0 = Field(description="mean power that flowed")
    speed: Fraction = Field(description="share of the uncapped speed")


class CapCurve(Checked):
    """Operating points of one workload class."""

    workload: Workload
    evidence: Evidence
    source: Text = Field(min_length=1)
    points: tuple[CapPoint, ...] = Field(min_length=1)

    def faults(self) -> Iterable[Fault]:
        """Points out of order, or a top point below full speed."""
        for k, (low, high) in enumerate(pairwise(self.points), start=1):
            for key in ("limit_w", "drawn_w", "speed"):
                if getattr(high, key) <= getattr(low, key):
                    yield Fault(
                        f"points[{k}].{key}",
                        "not_rising",
                        f"{getattr(high, key):g} does not exceed {getattr(low, key):g} of the point before; "
                        "sort the points by limit and drop what brings nothing",
                    )
        if self.points[-1].speed != 1.0:
            yield Fault(
                f"points[{len(self.points) - 1}].speed",
                "top_not_1",
                f"{self.points[-1].speed:g}: the highest point is the uncapped run and has speed 1.0",
            )


class GpuModel(Checked):
    """A row of the GPU catalogue: limits, idle power and curves, each with source and evidence."""

    key: Name = Field(description="how pools refer to it, e.g. H100-SXM")
    title: Text = ""
    device_names: tuple[Text, ...] = Field((), description="parts of the name that the driver prints, for chergui init")
    min_limit_w: Above0
    max_limit_w: Above0
    idle_w: AtLeast0
    limit_step_w: Above0 = Field(1.0, description="what the device rounds a limit down to")
    limits_source: Text = Field(min_length=1)
    limits_evidence: Evidence
    idle_source: Text = Field(min_length=1)
    idle_evidence: Evidence
    host_w_per_gpu: AtLeast0 = Field(description="share of fans, CPUs, memory and network of a node at work")
    host_source: Text = Field(min_length=1)
    host_evidence: Evidence
    curves: tuple[CapCurve, ...] = Field(min_length=1)

    def faults(self) -> Iterable[Fault]:
        """Limits that contradict each other or the curves."""
        if self.min_limit_w > self.max_limit_w:
            yield Fault(
                "min_limit_w",
                "above_max",
                f"{self.min_limit_w:g} W is above max_limit_w {self.max_limit_w:g}; swap or mend them",
            )
        seen: set[str] = set()
        for k, curve in enumerate(self.curves):
            if curve.workload in seen:
                yield Fault(f"curves[{k}].workload", "duplicate_name", f"{curve.workload!r} stands twice; keep one")
            seen.add(curve.workload)
            for i, point in enumerate(curve.points):
                if not self.min_limit_w <= point.limit_w <= self.max_limit_w:
                    yield Fault(
                        f"curves[{k}].points[{i}].limit_w",
                        "outside_limits",
                        f"{point.limit_w:g} W lies outside {self.min_limit_w:g} to {self.max_limit_w:g} W; "
                        "drop the point or mend the limits",
                    )

    def curve(self, workload: Workload) -> CapCurve:
        """Curve of a workload class; the first curve where this class has none of its own."""
        return next((c for c in self.curves if c.workload == workload), self.curves[0])


@dataclass(frozen=True, slots=True)
class Envelope:
    """Points that a plan may use, by rising power, and those it may not, each with the reason."""

    points: tuple[CapPoint, ...]
    dropped: tuple[tuple[CapPoint, str], ...]


def envelope(points: Iterable[CapPoint], host_w: float = 0.0) -> Envelope:
    """Upper concave envelope of ``points`` in (drawn W, speed).

    ``host_w`` shifts every point alike, so it does not change which of them stay. The first point is
    always kept: a job that is on cannot be slower than its lowest cap makes it.
    """
    kept: list[CapPoint] = []
    dropped: list[tuple[CapPoint, str]] = []
    for point in sorted(points, key=lambda p: (p.drawn_w, p.speed)):
        if kept and point.speed <= kept[-1].speed:
            dropped.append((point, f"draws {point.drawn_w:g} W and is no faster than {kept[-1].drawn_w:g} W"))
            continue
        if kept and point.drawn_w == kept[-1].drawn_w:
            dropped.append((kept.pop(), f"another point is faster at the same {point.drawn_w:g} W"))
        while len(kept) > 1 and _under(kept[-2], kept[-1], point):
            low, middle = kept[-2], kept.pop()
            dropped.append(
                (
                    middle,
                    f"lies under the line from {low.drawn_w + host_w:g} W to {point.drawn_w + host_w:g} W",
                )
            )
        kept.append(point)
    return Envelope(tuple(kept), tuple(dropped))


def _under(low: CapPoint, middle: CapPoint, high: CapPoint) -> bool:
    """Whether ``middle`` lies on or under the line from ``low`` to ``high``."""
    left = (middle.speed - low.speed) * (high.drawn_w - low.drawn_w)
    right = (high.speed - low.speed) * (middle.drawn_w - low.drawn_w)
    return left <= right + 1e-12 * high.drawn_w


LEAST_DRAWN_SHARE = 0.6
"""Of the curve's full draw that a job is taken to draw at least: jobs that ran under limits would talk it down."""


def full_w(gpu: GpuModel, workload: Workload) -> float:
    """W that one GPU draws at full speed."""
    return max(point.drawn_w for point in gpu.curve(workload).points)


def as_drawn(points: Iterable[CapPoint], drawn_w: float) -> list[CapPoint]:
    """Points of a job whose likes drew ``drawn_w`` at full power: every draw in proportion, none above its limit."""
    found = list(points)
    share = max(LEAST_DRAWN_SHARE, drawn_w / max(point.drawn_w for point in found))
    return [point.model_copy(update={"drawn_w": min(point.drawn_w * share, point.limit_w)}) for point in found]


def levels(
    gang: int,
    gpu: GpuModel,
    workload: Workload,
    host_w_per_gpu: float | None = None,
    drawn_w: float | None = None,
) -> list[dict[str, float]]:
    """Levels of a whole gang, as the problem document wants them, by rising power.

    Args:
        gang: GPUs of the job, all under one cap.
        gpu: catalogue row.
        workload: class whose curve is taken.
        host_w_per_gpu: W of the host per GPU; None: the catalogue's.
        drawn_w: W per GPU that such jobs drew at full power (:func:`as_drawn`); None: the curve's.

    Returns:
        ``limit_w`` per GPU, ``power_mw`` of the gang with its hosts, ``speed``; concave, 1.0 at the top.
    """
    host_w = gpu.host_w_per_gpu if host_w_per_gpu is None else host_w_per_gpu
    points = gpu.curve(workload).points
    return [
        {"limit_w": p.limit_w, "power_mw": round(gang * (p.drawn_w + host_w) / 1e6, 12), "speed": p.speed}
        for p in envelope(points if drawn_w is None else as_drawn(points, drawn_w), host_w).points
    ]


def drawn_at_limit_w(gpu: GpuModel, workload: Workload, limit_w: float) -> float:
    """W that one GPU draws under a limit: on the line between envelope points, flat beyond them."""
    points = envelope(gpu.curve(workload).points).points
    return _between([(p.limit_w, p.drawn_w) for p in points], limit_w)


def speed_at_limit(gpu: GpuModel, workload: Workload, limit_w: float) -> float:
    """Share of full speed under a limit: on the line between envelope points, flat beyond them."""
    points = envelope(gpu.curve(workload).points).points
    return _between([(p.limit_w, p.speed) for p in points], limit_w)


def limit_for_drawn_w(gpu: GpuModel, workload: Workload, drawn_w: float) -> float:
    """Limit that lets ``drawn_w`` flow, rounded down to the device's step and clipped to its limits."""
    points = envelope(gpu.curve(workload).points).points
    wanted = _between([(p.drawn_w, p.limit_w) for p in points], drawn_w)
    stepped = (wanted + 1e-9) // gpu.limit_step_w * gpu.limit_step_w
    return min(max(stepped, gpu.min_limit_w), gpu.max_limit_w)


def _between(table: list[tuple[float, float]], x: float) -> float:
    if x <= table[0][0]:
        return table[0][1]
    for (x0, y0), (x1, y1) in pairwise(table):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return table[-1][1]
