"""Run as ``unshare -rn python empty_network.py PORT COMMAND...``: a host whose only interface is loopback.

Brings loopback up (it is down in a new namespace), proves that nothing else is there, starts the
command, waits until the page with a plan is served, prints what it saw as JSON and stops the command.
Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
PATIENCE_S = 180.0


def bring_loopback_up() -> None:
    """What ``ip link set lo up`` does, without needing ``ip``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(handle, SIOCGIFFLAGS, request))
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def answer(url: str) -> tuple[int, str]:
    """Status and body; 0 while nothing listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
    except OSError:
        return 0, ""


def wait_for(url: str, process: subprocess.Popen[str], until: float) -> tuple[int, str]:
    """The first 200, or the last answer when time is up or the command has ended."""
    while True:
        status, body = answer(url)
        if status == 200 or time.monotonic() > until or process.poll() is not None:
            return status, body
        time.sleep(0.3)


def main(port: int, command: list[str]) -> None:
    """See the module."""
    bring_loopback_up()
    seen: dict[str, Any] = {"interfaces": [name for _, name in socket.if_nameindex()]}
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        base = f"http://127.0.0.1:{port}"
        seen["ready"], _ = wait_for(f"{base}/readyz", process, began + PATIENCE_S)
        while time.monotonic() < began + PATIENCE_S and process.poll() is None:
            seen["page"], body = answer(f"{base}/")
            seen["charts"] = body.count("<svg")
            if seen["page"] == 200 and seen["charts"]:
                break
            time.sleep(0.5)
        seen["seconds"] = round(time.monotonic() - began, 1)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            seen["said"], _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            seen["said"], _ = process.communicate()
            seen["killed"] = True
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
