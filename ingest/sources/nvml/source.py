"""The source: every GPU of this machine at each poll, each on its own.

A GPU that is lost yields ``reachable = 0`` and harms no other. A driver that went away ends the
session; the next poll starts a new one. Nothing here sets anything on a device.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import pynvml

from ingest.errors import SourceUnavailable
from ingest.points import Point, canonical, to_ns
from ingest.sources.nvml.device import GpuLost, SessionOver, escalate, read_gpu, reason_of

_log = logging.getLogger("chergui.ingest.nvml")


class NvmlSource:
    """Points of the measurement ``gpu`` with tags site, node, gpu (its UUID) and ``tags``.

    ``unsupported`` and ``lost`` say, after each poll, what could not be read: by UUID (or
    ``index N`` for a GPU that was never reached), the reason by field, or the reason.
    """

    name = "nvml"

    def __init__(
        self,
        site: str,
        node: str,
        *,
        period_s: float = 10.0,
        tags: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.period_s = period_s
        self.unsupported: dict[str, dict[str, str]] = {}
        self.lost: dict[str, str] = {}
        self.driver = ""
        self._tags = {**(tags or {}), "site": site, "node": node}
        self._monotonic = monotonic
        self._open = False
        self._uuids: dict[int, str] = {}
        self._energy: dict[str, tuple[float, float]] = {}

    def poll(self, now: datetime) -> Sequence[Point]:
        """One point a GPU, all stamped ``now``.

        Raises:
            SourceUnavailable: no library, no driver, or the driver went away; the next poll tries anew.
        """
        try:
            self._start()
            count = pynvml.nvmlDeviceGetCount()
            lost: dict[str, str] = {}
            points = [self._gpu(index, to_ns(now), lost) for index in range(count)]
        except SessionOver as over:
            self._end()
            raise SourceUnavailable(self.name, f"the driver went away ({over})") from over
        except pynvml.NVMLError as error:
            self._end()
            raise SourceUnavailable(self.name, f"{reason_of(error)}: {error}") from error
        self._tell(lost)
        return points

    def close(self) -> None:
        """Give the library back."""
        self._end()

    def _start(self) -> None:
        if not self._open:
            pynvml.nvmlInit()
            self._open = True
            self.driver = str(pynvml.nvmlSystemGetDriverVersion())
            _log.info("driver %s", self.driver)

    def _end(self) -> None:
        if not self._open:
            return
        self._open = False
        self._uuids.clear()  # after a reload the order may be another
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError as error:
            _log.info("shutdown: %s", error)  # a session that is over cannot be closed

    def _gpu(self, index: int, time_ns: int, lost: dict[str, str]) -> Point:
        # The handle is asked for each time: after a loss the old one may belong to nothing.
        try:
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                uuid = self._uuids[index] = str(pynvml.nvmlDeviceGetUUID(handle))
            except pynvml.NVMLError as error:
                escalate(error)
                raise GpuLost(reason_of(error)) from error
            reading = read_gpu(handle)
        except GpuLost as gone:
            who = self._uuids.get(index, f"index {index}")
            lost[who] = str(gone)
            self._energy.pop(who, None)
            return self._point(who, {"reachable": 0}, time_ns)
        self._note_unsupported(uuid, reading.unsupported)
        fields: dict[str, float | int] = {"reachable": 1, **reading.fields}
        mean_w = self._mean_power_w(uuid, reading.fields.get("energy_j"))
        if mean_w is not None:
            fields["power_mean_w"] = mean_w
        return self._point(uuid, fields, time_ns)

    def _mean_power_w(self, uuid: str, energy_j: float | None) -> float | None:
        """Mean since the poll before; none at first, after a reset of the counter, or after a long pause."""
        if energy_j is None:
            return None
        at = self._monotonic()
        before = self._energy.get(uuid)
        self._energy[uuid] = (at, energy_j)
        if before is None or energy_j < before[1] or not 0 < at - before[0] <= 10 * self.period_s:
            return None
        return (energy_j - before[1]) / (at - before[0])

    def _point(self, uuid: str, fields: Mapping[str, float | int], time_ns: int) -> Point:
        return Point("gpu", canonical({**self._tags, "gpu": uuid}), tuple(fields.items()), time_ns)

    def _note_unsupported(self, uuid: str, unsupported: dict[str, str]) -> None:
        if unsupported != self.unsupported.get(uuid):
            self.unsupported[uuid] = unsupported
            if unsupported:
                told = ", ".join(f"{name} ({why})" for name, why in sorted(unsupported.items()))
                _log.info("GPU %s does not tell: %s", uuid, told)

    def _tell(self, lost: dict[str, str]) -> None:
        for who in lost.keys() - self.lost.keys():
            _log.warning("GPU %s is lost (%s)", who, lost[who])
        for who in self.lost.keys() - lost.keys():
            _log.info("GPU %s is back", who)
        self.lost = lost
