"""One GPU read once: milliwatts, millijoules and bit masks become our units here and nowhere else.

What a driver or board does not offer is left out and named, with NVML's reason; nothing is filled
in. Instantaneous power comes from the field values (186; 185 is the one-second mean), because
``nvmlDeviceGetPowerUsage`` is a mean on some generations and instantaneous on others (nvml.h).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pynvml

_LOST = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED, pynvml.NVML_ERROR_GPU_NOT_FOUND)
_SESSION_OVER = (
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
)
_GPU, _MODULE = pynvml.NVML_POWER_SCOPE_GPU, pynvml.NVML_POWER_SCOPE_MODULE
_POWER_CAP = pynvml.nvmlClocksEventReasonSwPowerCap
_POWER_BRAKE = pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown
_THERMAL = pynvml.nvmlClocksEventReasonSwThermalSlowdown | pynvml.nvmlClocksEventReasonHwThermalSlowdown
_VALUE_MEMBER = {  # valueType of a field value → member of its union
    pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: "usVal",
}


class GpuLost(Exception):
    """The driver no longer reaches this GPU (or wants it reset first)."""


class SessionOver(Exception):
    """The driver went away under us; only a new initialisation helps."""


@dataclass(slots=True)
class Reading:
    """Fields of the measurement ``gpu`` and, for what could not be read, the reason by field."""

    fields: dict[str, float | int] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)

    def take(self, names: tuple[str, ...], read: Callable[[], tuple[float | int, ...]]) -> bool:
        """Add what ``read`` returns under ``names``; False, with the reason kept, where it cannot."""
        try:
            values = read()
        except pynvml.NVMLError as error:
            escalate(error)
            self.unsupported.update(dict.fromkeys(names, reason_of(error)))
            return False
        self.fields.update(zip(names, values, strict=True))
        for name in names:
            self.unsupported.pop(name, None)
        return True


def reason_of(error: pynvml.NVMLError) -> str:
    """NVML's word for an error, such as NotSupported or FunctionNotFound."""
    return type(error).__name__.removeprefix("NVMLError_")


def escalate(error: pynvml.NVMLError) -> None:
    """Raise GpuLost or SessionOver where ``error`` means one of them."""
    if error.value in _LOST:
        raise GpuLost(reason_of(error)) from error
    if error.value in _SESSION_OVER:
        raise SessionOver(reason_of(error)) from error


def read_gpu(handle: Any) -> Reading:
    """Everything that the catalogue's ``gpu.*`` knows and this GPU tells.

    Raises:
        GpuLost, SessionOver: see there.
    """
    reading = Reading()
    _power(reading, handle)
    _limits(reading, handle)
    if not reading.take(("temperature_c",), lambda: (float(pynvml.nvmlDeviceGetTemperatureV(handle, 0)),)):
        reading.take(("temperature_c",), lambda: (float(pynvml.nvmlDeviceGetTemperature(handle, 0)),))
    _clocks(reading, handle)
    reading.take(("utilization_ratio",), lambda: (pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,))
    reading.take(("mig_enabled",), lambda: (int(pynvml.nvmlDeviceGetMigMode(handle)[0]),))
    return reading


def _power(reading: Reading, handle: Any) -> None:
    wanted = {
        "power_w": (pynvml.NVML_FI_DEV_POWER_INSTANT, _GPU),
        "power_average_w": (pynvml.NVML_FI_DEV_POWER_AVERAGE, _GPU),
        "module_power_w": (pynvml.NVML_FI_DEV_POWER_INSTANT, _MODULE),
    }
    try:
        values = pynvml.nvmlDeviceGetFieldValues(handle, list(wanted.values()))
    except pynvml.NVMLError as error:
        escalate(error)
        reading.unsupported.update(dict.fromkeys(wanted, reason_of(error)))
    else:
        for name, value in zip(wanted, values, strict=True):
            reading.take((name,), lambda value=value: (_field_value(value) / 1000,))  # type: ignore[misc]
    if "power_w" not in reading.fields:
        reading.take(("power_w",), lambda: (pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,))
    reading.take(("energy_j",), lambda: (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000,))


def _limits(reading: Reading, handle: Any) -> None:
    reading.take(("limit_w",), lambda: (pynvml.nvmlDeviceGetPowerManagementLimit(handle) / 1000,))
    reading.take(("limit_enforced_w",), lambda: (pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,))
    reading.take(("limit_default_w",), lambda: (pynvml.nvmlDeviceGetPowerManagementDefaultLimit(handle) / 1000,))
    reading.take(
        ("limit_min_w", "limit_max_w"),
        lambda: tuple(mw / 1000 for mw in pynvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)),
    )


def _clocks(reading: Reading, handle: Any) -> None:
    for name, clock in (("clock_sm_mhz", pynvml.NVML_CLOCK_SM), ("clock_memory_mhz", pynvml.NVML_CLOCK_MEM)):
        reading.take((name,), lambda clock=clock: (float(pynvml.nvmlDeviceGetClockInfo(handle, clock)),))  # type: ignore[misc]
    names = ("throttle_bits", "throttle_power_cap", "throttle_power_brake", "throttle_thermal")
    if not reading.take(names, lambda: _throttle(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))):
        # Its name before driver 535; the bits are the same.
        reading.take(names, lambda: _throttle(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)))


def _throttle(bits: int) -> tuple[int, ...]:
    return bits, int(bool(bits & _POWER_CAP)), int(bool(bits & _POWER_BRAKE)), int(bool(bits & _THERMAL))


def _field_value(value: Any) -> float:
    """A field value's number; it carries its own return code and type."""
    if value.nvmlReturn != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(value.nvmlReturn)
    member = _VALUE_MEMBER.get(value.valueType)
    if member is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    return float(getattr(value.value, member))
