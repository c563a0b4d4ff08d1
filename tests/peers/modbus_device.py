"""Modbus devices in a process of their own: ``python modbus_device.py PORT FILE``.

The server is pymodbus'; what its devices hold is simulated by us. FILE is JSON, read again at every request::

    {"1": {"holding": {"0": 215}, "input": {}, "coil": {}, "discrete": {"0": 1}, "hang_s": 0, "code": 0}}

Registers that a device does not name are illegal addresses; ``code`` is an exception that it answers to everything.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import sys
from pathlib import Path
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

TABLES = ("coil", "discrete", "holding", "input")
FUNCTIONS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


def runs(values: dict[str, int], bits: bool) -> list[SimData]:
    """Neighbouring registers as one block each."""
    found: list[tuple[int, list[int]]] = []
    for address, value in sorted((int(key), value) for key, value in values.items()):
        if found and found[-1][0] + len(found[-1][1]) == address:
            found[-1][1].append(value)
        else:
            found.append((address, [value]))
    if bits:
        return [SimData(at, values=[bool(v) for v in held], datatype=DataType.BITS) for at, held in found]
    return [SimData(at, values=held, datatype=DataType.REGISTERS) for at, held in found]


async def act(
    path: Path, device: str, function: int, start: int, address: int, count: int, registers: list[int], _: Any
) -> ExcCodes | None:
    """Show what FILE says now."""
    now = json.loads(path.read_text())[device]
    await asyncio.sleep(now.get("hang_s", 0))
    if now.get("code"):
        return ExcCodes(now["code"])
    table = FUNCTIONS[function]
    if table in ("holding", "input"):
        for at in range(address, address + count):
            registers[at - start] = now[table][str(at)]
    return None


def device(path: Path, name: str, held: dict[str, Any]) -> SimDevice:
    """A device of FILE. A table that it has nothing in gets one far address, since a server wants at least one."""
    blocks = []
    for table in TABLES:
        bits = table in ("coil", "discrete")
        blocks.append(runs(held.get(table) or {"65535": 0}, bits))
    return SimDevice(int(name), simdata=tuple(blocks), action=functools.partial(act, path, name))


async def main() -> None:
    """Serve until ended."""
    path = Path(sys.argv[2])
    devices = [device(path, name, held) for name, held in json.loads(path.read_text()).items()]
    await ModbusTcpServer(devices, address=("127.0.0.1", int(sys.argv[1]))).serve_forever()


if __name__ == "__main__":
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    asyncio.run(main())
