"""NVIDIA's management library as an actuator: the power limit, and for those who want it locked SM clocks.

Setting needs root. A limit does not outlive the driver, so the reader notices a driver that was loaded anew by the
limit it finds. ``nvmlDeviceSetPowerManagementLimit`` is called and not its ``_v2``, whose return code nvidia-ml-py
throws away; the enforced limit is read back by the caller either way. With MIG, limits are those of the whole GPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pynvml

from agent.devices import DeviceLost, NoDevices, Reading
from agent.machine import Gpu

_Found = TypeVar("_Found")
_SESSION_OVER = (
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
)


class NvmlPower:
    """Power limits by NVML; the session is opened when it is first needed, and again after a driver went away."""

    def __init__(self) -> None:
        self._open = False
        self._handles: dict[str, Any] = {}

    def gpus(self) -> Sequence[Gpu]:
        """See :class:`agent.devices.Actuator`; GPUs that are lost are left out."""
        self._start()
        found: list[Gpu] = []
        self._handles.clear()
        for index in range(self._call("", pynvml.nvmlDeviceGetCount)):
            with contextlib.suppress(DeviceLost):
                found.append(self._gpu(index))
        return found

    def _gpu(self, index: int) -> Gpu:
        handle = self._call(f"index {index}", lambda: pynvml.nvmlDeviceGetHandleByIndex(index))
        uuid = str(self._call(f"index {index}", lambda: pynvml.nvmlDeviceGetUUID(handle)))
        low, high = self._call(uuid, lambda: pynvml.nvmlDeviceGetPowerManagementLimitConstraints(handle))
        self._handles[uuid] = handle
        return Gpu(index, uuid, low / 1000, high / 1000)

    def read(self, uuid: str) -> Reading:
        """See :class:`agent.devices.Actuator`."""
        handle = self._handle(uuid)
        limit = self._call(uuid, lambda: pynvml.nvmlDeviceGetPowerManagementLimit(handle))
        enforced = self._call(uuid, lambda: pynvml.nvmlDeviceGetEnforcedPowerLimit(handle))
        power = self._optional(uuid, lambda: pynvml.nvmlDeviceGetPowerUsage(handle))
        temp = self._optional(uuid, lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
        used = self._optional(uuid, lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
        watts, busy = None if power is None else power / 1000, None if used is None else used.gpu / 100
        return Reading(limit / 1000, enforced / 1000, watts, temp, busy)

    def set_limit(self, uuid: str, limit_w: float) -> None:
        """See :class:`agent.devices.Actuator`: whole milliwatts, rounded down."""
        handle = self._handle(uuid)
        self._call(uuid, lambda: pynvml.nvmlDeviceSetPowerManagementLimit(handle, int(limit_w * 1000 + 1e-6)))

    def restore(self, uuid: str, limit_w: float | None) -> None:
        """See :class:`agent.devices.Actuator`."""
        handle = self._handle(uuid)
        if limit_w is None:
            limit_w = self._call(uuid, lambda: pynvml.nvmlDeviceGetPowerManagementDefaultLimit(handle)) / 1000
        low, high = self._call(uuid, lambda: pynvml.nvmlDeviceGetPowerManagementLimitConstraints(handle))
        limit_mw = max(low, min(high, round(limit_w * 1000)))
        self._call(uuid, lambda: pynvml.nvmlDeviceSetPowerManagementLimit(handle, limit_mw))

    def close(self) -> None:
        """See :class:`agent.devices.Actuator`."""
        if self._open:
            self._open = False
            self._handles.clear()
            with contextlib.suppress(pynvml.NVMLError):  # a session that is over cannot be closed
                pynvml.nvmlShutdown()

    def _start(self) -> None:
        if self._open:
            return
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise NoDevices(str(error)) from None
        self._open = True

    def _handle(self, uuid: str) -> Any:
        if not self._open or uuid not in self._handles:
            self.gpus()
        if uuid not in self._handles:
            raise DeviceLost(uuid, "the driver does not list it")
        return self._handles[uuid]

    def _call(self, uuid: str, call: Callable[[], _Found]) -> _Found:
        try:
            return call()
        except pynvml.NVMLError as error:
            if error.value in _SESSION_OVER:
                self.close()
                raise NoDevices(str(error)) from None
            self._handles.pop(uuid, None)  # after a loss the old handle may belong to nothing
            raise DeviceLost(uuid, str(error)) from None

    def _optional(self, uuid: str, call: Callable[[], _Found]) -> _Found | None:
        try:
            return call()
        except pynvml.NVMLError as error:
            if error.value == pynvml.NVML_ERROR_NOT_SUPPORTED:
                return None
            raise DeviceLost(uuid, str(error)) from None


class NvmlClocks(NvmlPower):
    """Locked SM clocks for loads that a power limit never reaches (decoding), with the power limit as a backstop.

    ``table`` maps a limit (W) to the highest SM clock (MHz) at which the load keeps under it, as measured on the
    site's own load; between two rows the lower one counts. NVML does not tell which clocks were locked before, so
    restoring takes the lock away.
    """

    def __init__(self, table: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self._table = sorted(table)

    def clock_mhz(self, limit_w: float) -> int:
        """Clock for a limit."""
        fitting = [mhz for watts, mhz in self._table if watts <= limit_w]
        return int(fitting[-1] if fitting else self._table[0][1])

    def set_limit(self, uuid: str, limit_w: float) -> None:
        """The power limit first: it holds even where the clocks cannot be locked."""
        super().set_limit(uuid, limit_w)
        handle, mhz = self._handle(uuid), self.clock_mhz(limit_w)
        self._call(uuid, lambda: pynvml.nvmlDeviceSetGpuLockedClocks(handle, 0, mhz))

    def restore(self, uuid: str, limit_w: float | None) -> None:
        """Unlock, and give the power limit back."""
        handle = self._handle(uuid)
        self._call(uuid, lambda: pynvml.nvmlDeviceResetGpuLockedClocks(handle))
        super().restore(uuid, limit_w)
