"""Keeps the processes: the light web process first, then planner and collector, and where queues are named, jobs.

The listening socket belongs to the supervisor: a busy port is told before anything starts, and while the web
process restarts, connections wait instead of being refused. Children die with the supervisor (PDEATHSIG), lead
process groups of their own (so that a solver is stopped with its planner and Ctrl-C comes here alone), and are
started again with a growing pause.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from api import logs
from api.guard import kill_group
from api.settings import Settings
from api.sign_of_life import SignOfLife
from models.errors import CherguiError

_TICK_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0
_STOP_S = 8.0
_READY_S = 60.0
_HUNG_S = 300.0
_log = logs.get("supervisor")


class CannotServe(CherguiError):
    """The service cannot begin; the message says what to do."""

    code = "CannotServe"


@dataclass(slots=True)
class Child:
    """A process that is kept alive; ``sign`` tells whether it hangs, where it gives one."""

    name: str
    command: list[str]
    sign: SignOfLife | None = None
    fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    due: float = field(default=0.0)


def listen(host: str, port: int) -> socket.socket:
    """Listening socket; port 0 picks a free one.

    Raises:
        CannotServe: the port is taken, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotServe(f"the host {host!r} is unknown: {error.strerror}; use 127.0.0.1") from None
    family, kind, proto, _, address = found[0]
    listener = socket.socket(family, kind, proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if port and error.errno == errno.EADDRINUSE:
            told = f"port {port} on {host} is in use; stop the other program, or take another port with --port"
        else:
            told = f"{host}:{port} cannot be opened: {error.strerror}; use 127.0.0.1 and a port above 1023"
        raise CannotServe(told) from None
    listener.listen(512)
    listener.set_inheritable(True)
    return listener


def lock_data_dir(settings: Settings) -> int:
    """Make the data folder and hold it for this service alone; the lock ends with the process.

    Raises:
        CannotServe: another service holds it, or the folder cannot be used.
    """
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(settings.data_dir / "service.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        told = f"the data folder {settings.data_dir} cannot be used: {error.strerror}; name another with --data-dir"
        raise CannotServe(told) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        told = f"another service uses {settings.data_dir}; stop it, or name another folder with --data-dir"
        raise CannotServe(told) from None
    return handle


def url_of(listener: socket.socket) -> str:
    """Address to open."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  what was bound, not what is bound here
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Supervisor:
    """Starts, watches and stops the children."""

    def __init__(self, settings: Settings, listener: socket.socket, *, jobs: bool = False) -> None:
        """``jobs``: whether the site names queues that are to be read."""
        told, me = settings.to_json(), str(os.getpid())
        fd = listener.fileno()
        self._settings = settings
        self._listener = listener
        self._stopping = False
        self._children = [
            Child("web", ["api.web", told, str(fd), me], fds=(fd,)),
            Child("planner", ["api.planner_process", told, me], SignOfLife(settings.run_dir / "planner.alive")),
            Child("collector", ["api.collector_process", told, me], SignOfLife(settings.run_dir / "collector.alive")),
        ]
        if jobs:
            alive = SignOfLife(settings.run_dir / "jobs.alive")
            self._children.append(Child("jobs", ["api.jobs_process", told, me], alive))

    def run(self, ready: Callable[[str], None]) -> int:
        """Serve until SIGTERM or SIGINT; ``ready`` is told the address once the web process answers."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        try:
            self._start(self._children[0])
            if not self._answers():
                return 0 if self._stopping else 1
            ready(url_of(self._listener))
            while not self._stopping:
                for child in self._children:
                    self._watch(child)
                time.sleep(_TICK_S)
        finally:
            self._stop()
        return 0

    def _asked_to_stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True

    def _start(self, child: Child) -> None:
        # -P: the folder that the operator stands in may have a "models" or an "api" of its own.
        child.process = subprocess.Popen(  # noqa: S603  our own modules
            [sys.executable, "-P", "-m", *child.command],
            pass_fds=child.fds,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # a solver may print; ours is for the address and the key
            start_new_session=True,
        )
        child.started = time.monotonic()
        self._pid_file(child).write_text(f"{child.process.pid}\n", encoding="ascii")

    def _pid_file(self, child: Child) -> Path:
        return self._settings.run_dir / f"{child.name}.pid"

    def _answers(self) -> bool:
        """Wait until the web process answers."""
        host, port = self._listener.getsockname()[:2]
        if host in ("0.0.0.0", "::"):  # noqa: S104
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and not self._stopping:
            process = self._children[0].process
            if process is None or process.poll() is not None:
                _log.error("web_did_not_start", code=None if process is None else process.returncode)
                return False
            connection = http.client.HTTPConnection(host, port, timeout=2.0)
            try:
                connection.request("GET", "/livez", headers={"Host": "localhost"})
                if connection.getresponse().status == 200:
                    return True
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
        return False

    def _watch(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.due:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            if now - child.started > _STEADY_S:
                child.pause_s = _FIRST_PAUSE_S
            if child.sign is not None and now - child.started > _HUNG_S and child.sign.silent_s() > _HUNG_S:
                _log.error("hung", child=child.name, pid=child.process.pid)
                kill_group(child.process.pid, signal.SIGKILL)
            return
        kill_group(child.process.pid, signal.SIGKILL)  # what it left behind
        _log.error("ended", child=child.name, code=code, again_in_s=child.pause_s)
        child.process, child.due = None, now + child.pause_s
        child.pause_s = min(_LONGEST_PAUSE_S, 2 * child.pause_s)

    def _stop(self) -> None:
        """SIGTERM to all, SIGKILL to what is left after a while."""
        alive = [child.process for child in self._children if child.process is not None]
        for process in alive:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline and any(process.poll() is None for process in alive):
            time.sleep(0.05)
        for process in alive:
            kill_group(process.pid, signal.SIGKILL)
            process.wait()
        for child in self._children:
            self._pid_file(child).unlink(missing_ok=True)
        self._listener.close()
