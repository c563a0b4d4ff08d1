"""Real servers as children of a test: found or skipped loudly, started on free ports, waited for, ended."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest


def binary(name: str, told: str) -> str:
    """Path of a program; skips loudly where there is none. ``told``: what is not tested then."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"NO {name} HERE: `make test-peers` installs it; {told} is NOT tested against the real one")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """Ports of which no two are the same: all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def listens(port: int) -> bool:
    """Whether somebody takes connections at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(ready: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Until ``ready`` gives something true."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s")
        time.sleep(0.05)


@contextmanager
def running(command: Sequence[str], log: Path, ready: Callable[[], object]) -> Iterator[subprocess.Popen[bytes]]:
    """A server for as long as the block lasts; its words are in ``log``."""
    with log.open("wb") as words:
        server = subprocess.Popen(command, stdout=words, stderr=words)
    try:

        def up() -> bool:
            if server.poll() is not None:
                raise AssertionError(f"{command[0]} ended at once: {log.read_text()[-2000:]}")
            return bool(ready())

        wait_for(up, f"answer of {command[0]}")
        yield server
    finally:
        if server.poll() is None:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)
