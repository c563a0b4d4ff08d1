"""One connection to a Modbus TCP device: pymodbus behind two questions, its silences and refusals told apart."""

from __future__ import annotations

import logging
from typing import Any

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient

from ingest.sources.modbus.decode import Block

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it dumps its packets into the log on every error
_CODES = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "the device failed",
    6: "the device is busy",
    10: "no path behind the gateway",
    11: "nobody answers behind the gateway",
}


class Refused(Exception):
    """The device answered, but not with values; ``code`` is Modbus' exception code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"exception {code} ({_CODES.get(code, 'unknown')})")


class Silent(Exception):
    """No connection, no answer in time, or one that is none."""


class Link:
    """A device behind ``host``:``port``; connects when it is first asked and again after a silence. Never writes."""

    def __init__(self, host: str, port: int, device_id: int, timeout_s: float) -> None:
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
        self._device_id = device_id
        self.target = f"{host}:{port}/{device_id}"

    def read(self, block: Block) -> list[int]:
        """Words of a block; for coils and discrete inputs a 0 or 1 each.

        Raises:
            Refused, Silent: see there.
        """
        ask: dict[str, Any] = {
            "holding": self._client.read_holding_registers,
            "input": self._client.read_input_registers,
            "coil": self._client.read_coils,
            "discrete": self._client.read_discrete_inputs,
        }
        count = block.end - block.start
        try:
            if not self._client.connected and not self._client.connect():  # type: ignore[no-untyped-call]
                raise Silent("no connection")
            answer = ask[block.table](block.start, count=count, device_id=self._device_id)
        except (ModbusException, OSError) as error:
            self.close()
            raise Silent(str(error).removeprefix("Modbus Error: ")) from None
        if answer.isError():
            raise Refused(int(answer.exception_code))
        words = [int(bit) for bit in answer.bits[:count]] if block.table in ("coil", "discrete") else answer.registers
        if len(words) != count:
            self.close()  # what follows on this connection may belong to another question
            raise Silent(f"{len(words)} values came where {count} were asked for")
        return list(words)

    def close(self) -> None:
        """Give the connection back; the next question opens a new one."""
        self._client.close()  # type: ignore[no-untyped-call]
