"""Measure a running job under a few power limits, highest first, and give the limit back that was found.

Nothing is ever raised above the limit that was found, so a sweep keeps every cap of the plan; the GPUs are claimed, so
that no agent writes meanwhile. The limits found are on the disk before the first write: after a kill the limits stay
low until an operator asks for the others. How fast the job goes is read from a file in which it counts its work.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.devices import Actuator, DeviceLost, NoDevices
from agent.machine import Gpu
from agent.memory import read_kept, write_durably
from models.errors import CherguiError
from models.horizon import rfc3339

KEPT = "sweep.json"
_SAME_W = 0.5
_SHORTEST_READING_S = 0.5


class SweepStopped(CherguiError):
    """The sweep ended before its time; ``reason`` says why and what mends it."""

    code = "SweepStopped"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the sweep was stopped: {reason}")


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure: W per GPU, the job's file of counted work, GPUs by index (none: all), seconds."""

    limits_w: tuple[float, ...]
    progress: Path
    out: Path
    gpus: tuple[int, ...] = ()
    settle_s: float = 10.0
    window_s: float = 20.0
    windows: int = 4


@dataclass(slots=True)
class Sweep:
    """One sweep on ``actuator``; ``state_dir`` keeps what was found; ``now`` and ``sleep`` are a clock's."""

    actuator: Actuator
    state_dir: Path
    order: Order
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False
    samples: list[dict[str, Any]] = field(default_factory=list)
    _found: dict[str, float] = field(default_factory=dict)
    _set: dict[str, float] = field(default_factory=dict)
    _last: float = 0.0

    def run(self) -> dict[str, Any]:
        """Measure under each limit and once more under the one found; the report, which is also in ``order.out``.

        Raises:
            SweepStopped: a limit that may not be set, another writer, a job that does not count, or a signal; the
                limits found are back, and what was measured until then is in ``order.out``.
            DeviceLost, NoDevices: a GPU went away; the others have their limits back.
        """
        if (self.state_dir / KEPT).exists():
            raise SweepStopped("an earlier one was killed; give its limits back first: chergui agent sweep --give-back")
        gpus = self._chosen()
        limits = self._limits(gpus)
        self._count()
        write_durably(self.state_dir / KEPT, {"found": self._found, "limits": limits})
        try:
            for limit_w in [*limits, min(self._found.values())]:
                self._hold(gpus, limit_w)
                self._rest(self.order.settle_s)
                for _ in range(self.order.windows):
                    self.samples.append(self._window(gpus, limit_w))
        finally:
            kept_from = restore(self.actuator, self._found, self._set)
            if not kept_from:
                (self.state_dir / KEPT).unlink(missing_ok=True)
            report = {"limits_found_w": self._found, "not_restored": kept_from, "samples": self.samples}
            write_durably(self.order.out, report)
        return report

    def _chosen(self) -> list[Gpu]:
        there = list(self.actuator.gpus())
        unknown = set(self.order.gpus) - {gpu.index for gpu in there}
        if unknown:
            names = ", ".join(map(str, sorted(unknown)))
            raise SweepStopped(f"no GPU of index {names}; there are {', '.join(str(g.index) for g in there) or 'none'}")
        chosen = [gpu for gpu in there if not self.order.gpus or gpu.index in self.order.gpus]
        if not chosen:
            raise SweepStopped("the driver lists no GPU")
        self._found = {gpu.uuid: self.actuator.read(gpu.uuid).limit_w for gpu in chosen}
        return chosen

    def _limits(self, gpus: Sequence[Gpu]) -> list[float]:
        """Highest first; none above what was found or outside what the devices take."""
        low, high = max(gpu.min_w for gpu in gpus), min(self._found.values())
        wrong = [w for w in self.order.limits_w if not low <= w <= high]
        if wrong or not self.order.limits_w:
            shown = ", ".join(f"{w:g}" for w in wrong) or "no limit at all"
            raise SweepStopped(
                f"{shown}: write limits from {low:g} W, the least these GPUs take, to {high:g} W, the limit found; "
                "a sweep never raises a limit"
            )
        return sorted(set(self.order.limits_w), reverse=True)

    def _hold(self, gpus: Sequence[Gpu], limit_w: float) -> None:
        for gpu in gpus:
            self.actuator.set_limit(gpu.uuid, limit_w)
            self._set[gpu.uuid] = limit_w

    def _rest(self, seconds: float) -> None:
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            if self.stopped():
                raise SweepStopped("by a signal")
            self.sleep(min(left, _SHORTEST_READING_S))

    def _window(self, gpus: Sequence[Gpu], limit_w: float) -> dict[str, Any]:
        count, began, began_at = self._count(), self.now(), datetime.now(UTC)
        drawn: list[float] = []
        busy: dict[str, list[float]] = {}
        enforced, hottest = math.inf, -math.inf
        while self.now() - began < self.order.window_s:
            for gpu in gpus:
                reading = self.actuator.read(gpu.uuid)
                if abs(reading.limit_w - limit_w) > _SAME_W:
                    raise SweepStopped(f"somebody set GPU {gpu.uuid} to {reading.limit_w:g} W; end that writer first")
                if reading.power_w is None:
                    raise SweepStopped(f"GPU {gpu.uuid} does not tell its power; it cannot be measured")
                drawn.append(reading.power_w)
                if reading.busy is not None:
                    busy.setdefault(gpu.uuid, []).append(reading.busy)
                enforced = min(enforced, reading.enforced_w)
                hottest = max(hottest, -math.inf if reading.temp_c is None else reading.temp_c)
            self._rest(min(_SHORTEST_READING_S, self.order.window_s / 4))
        done, took = self._count() - count, self.now() - began
        return {
            "limit_w": limit_w,
            "drawn_w": sum(drawn) / len(drawn),
            "rate": done / took,
            "enforced_w": enforced,
            "temp_c": hottest if math.isfinite(hottest) else None,
            "busy": min((sum(one) / len(one) for one in busy.values()), default=None),  # the GPU that waited most
            "began": rfc3339(began_at),  # by the wall clock: telemetry of this time says more about the window
            "ended": rfc3339(datetime.now(UTC)),
        }

    def _count(self) -> float:
        count = read_count(self.order.progress)
        if count < self._last:
            raise SweepStopped(f"the count in {self.order.progress} fell: the job began anew; sweep again")
        self._last = count
        return count


def read_count(path: Path) -> float:
    """Work that the job has done so far: the number in the last whole line of its file.

    Raises:
        SweepStopped: no file, no whole line, or no number at or above 0 in it.
    """
    try:
        text = path.read_bytes()[-4096:].decode("utf-8", errors="replace")
    except OSError as error:
        raise SweepStopped(f"{path}: {error.strerror}; let the job write its count of steps there") from None
    lines = text[: text.rfind("\n") + 1].splitlines()
    try:
        count = float(lines[-1])
    except (IndexError, ValueError):
        shown = repr(lines[-1][:40]) if lines else "no whole line"
        raise SweepStopped(f"{path} ends in {shown}, not in a line with a count of steps") from None
    if not (math.isfinite(count) and count >= 0):
        raise SweepStopped(f"{path} ends in {count:g}, which is no count of steps")
    return count


def restore(actuator: Actuator, found: dict[str, float], ours: dict[str, float]) -> list[str]:
    """Give the limits found back where the present one is ``ours``; what was left as it is, in words."""
    failed: list[str] = []
    for uuid, limit_w in found.items():
        if uuid not in ours:
            continue
        try:
            now_w = actuator.read(uuid).limit_w
            if abs(now_w - ours[uuid]) > _SAME_W:
                failed.append(f"GPU {uuid}: another writer's {now_w:g} W stays")
                continue
            actuator.set_limit(uuid, limit_w)
        except (DeviceLost, NoDevices) as error:
            failed.append(str(error))
    return failed


def give_back(actuator: Actuator, state_dir: Path) -> list[str]:
    """What a sweep that was killed had found, given back where its own limit is still in force; in words.

    Only an operator asks for this: a limit rises here.
    """
    kept = read_kept(state_dir / KEPT)
    if kept is None:
        return ["no sweep was killed here: nothing to give back"]
    said = []
    there = {gpu.uuid for gpu in actuator.gpus()}
    for uuid, found_w in kept["found"].items():
        if uuid not in there:
            said.append(f"GPU {uuid} is not there; its limit had been {found_w:g} W")
            continue
        now_w = actuator.read(uuid).limit_w
        if any(abs(now_w - limit_w) <= _SAME_W for limit_w in kept["limits"]):
            actuator.set_limit(uuid, found_w)
            said.append(f"GPU {uuid}: {now_w:g} W was the sweep's; back to {found_w:g} W")
        else:
            said.append(f"GPU {uuid}: {now_w:g} W is not the sweep's; it stays")
    (state_dir / KEPT).unlink(missing_ok=True)
    return said
