"""Hears the site guard: a line a second, over a connection that stays open, or as a file on this machine.

A line is ``{"run": "a1", "seq": 12, "factor": 0.93, "default": false}``. It counts when it is new (another run, or a
higher ``seq``), and for ``ttl_s`` of this machine's boot clock from then on: no clock of another machine is read. A
guard that falls silent means the default set, with the last factor still on it: silence lifts nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import threading
from pathlib import Path
from urllib.parse import urlsplit

from agent.clock import boot_s
from agent.machine import SiteFactor

_log = logging.getLogger("chergui.agent")
_LINE = 4096


class Ear:
    """The last word of the guard. Thread-safe: one attribute is replaced as a whole."""

    def __init__(self, ttl_s: float, *, url: str | None = None, file: Path | None = None) -> None:
        self._ttl_s = ttl_s
        self._url = url
        self._file = file
        self._last: tuple[str, int] = ("", -1)
        self._said = SiteFactor(1.0, default=True)
        self._at_s = -math.inf

    def factor(self, now_s: float) -> SiteFactor:
        """What holds now."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self.hear(self._file.read_bytes(), now_s)
        said, at_s = self._said, self._at_s
        return said if now_s - at_s <= self._ttl_s else SiteFactor(said.share, default=True)

    def hear(self, line: bytes, now_s: float) -> bool:
        """Take in a line; False where it is old or none of the guard's."""
        try:
            raw = json.loads(line)
            run, seq, share, default = str(raw["run"]), raw["seq"], raw["factor"], raw["default"]
            good = isinstance(seq, int) and isinstance(default, bool) and 0.0 <= float(share) <= 1.0
        except (ValueError, KeyError, TypeError):
            return False
        if not good or (run == self._last[0] and seq <= self._last[1]):
            return False
        self._last = (run, seq)
        self._said = SiteFactor(float(share), default)
        self._at_s = now_s
        return True

    def listen(self, stop: threading.Event) -> None:
        """Keep the connection, until told to stop; for a thread of its own. Nothing to do for a file."""
        if self._url is None:
            return
        lost = False
        while not stop.is_set():
            try:
                self._listen_once(self._url, stop)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not lost:
                    _log.warning("the site guard is not heard: %s", error)
                lost = True
            else:
                lost = False
            stop.wait(min(1.0, self._ttl_s / 4))

    def _listen_once(self, url: str, stop: threading.Event) -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self._ttl_s)
        try:
            connection.request("GET", parts.path or "/", headers={"Accept": "application/x-ndjson"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}")
            while not stop.is_set():
                line = answer.readline(_LINE)
                if not line:
                    raise http.client.HTTPException("the guard closed the connection")
                self.hear(line, boot_s())
        finally:
            connection.close()
