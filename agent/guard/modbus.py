"""A grid meter on Modbus TCP, by pymodbus: the only file of the guard that needs more than the standard library."""

from __future__ import annotations

import logging

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient

from agent.guard.meter import MeterLost

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it dumps its packets into the log on every error
TYPES = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


class ModbusMeter:
    """One number in ``table`` (holding or input) at ``address`` (counted from 0); ``scale`` makes MW of it.

    ``low_word_first`` for devices that send the lower word of a long number first. Never writes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        unit: int,
        address: int,
        *,
        table: str = "input",
        type_: str = "float32",
        low_word_first: bool = False,
        scale: float = 1.0,
        timeout_s: float = 1.0,
    ) -> None:
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
        self._unit = unit
        self._address = address
        self._table = table
        self._type = ModbusTcpClient.DATATYPE[type_.upper()]
        self._words = int(self._type.value[1])
        self._order = "little" if low_word_first else "big"
        self._scale = scale

    def read_mw(self) -> float:
        """See :class:`agent.guard.meter.Meter`."""
        client = self._client
        ask = client.read_input_registers if self._table == "input" else client.read_holding_registers
        try:
            if not client.connected and not client.connect():  # type: ignore[no-untyped-call]
                raise MeterLost("no connection")
            answer = ask(self._address, count=self._words, device_id=self._unit)
        except (OSError, ModbusException) as error:
            client.close()  # type: ignore[no-untyped-call]
            raise MeterLost(f"{type(error).__name__}: {error}") from None
        if answer.isError():
            raise MeterLost(f"the device refuses: {answer}")
        if len(answer.registers) != self._words:
            client.close()  # type: ignore[no-untyped-call]
            raise MeterLost(f"{len(answer.registers)} words where {self._words} were asked for")
        value = client.convert_from_registers(answer.registers, self._type, word_order=self._order)  # type: ignore[arg-type]
        return float(value) * self._scale  # type: ignore[arg-type]

    def close(self) -> None:
        """See :class:`agent.guard.meter.Meter`."""
        self._client.close()  # type: ignore[no-untyped-call]
