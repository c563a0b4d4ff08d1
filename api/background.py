"""The one process that explains the plan in force while the planner rests; it gives way to the next round."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from api import logs
from api.guard import kill_group
from api.settings import Settings

_REST_S = 5.0
"""Seconds after a plan is published: whoever waited for it is served first, and a hasty plan is replaced by then."""
_log = logs.get("planner")


class Background:
    """Starts :mod:`api.ahead_child` for a plan that has been published, and stops it before the next is made."""

    def __init__(self, settings: Settings, rest_s: float = _REST_S) -> None:
        self._settings = settings
        self._rest_s = rest_s
        self._next: tuple[float, str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def after(self, plan_id: str) -> None:
        """A plan has been published."""
        self._next = (time.monotonic() + self._rest_s, plan_id)

    def look(self) -> None:
        """Start what is due, and note what has ended; called every now and then."""
        if self._process is not None and self._process.poll() is not None:
            if self._process.returncode:
                _log.error("explaining_failed", code=self._process.returncode)
            self._process = None
        if self._next is not None and time.monotonic() >= self._next[0]:
            self._stop_process()
            command = ["-P", "-m", "api.ahead_child", self._settings.to_json(), str(os.getpid()), self._next[1]]
            self._process = subprocess.Popen([sys.executable, *command], start_new_session=True)  # noqa: S603
            self._next = None

    def stop(self) -> None:
        """Nothing is to be explained now; what was told by then is kept."""
        self._next = None
        self._stop_process()

    def _stop_process(self) -> None:
        if self._process is not None:
            kill_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
