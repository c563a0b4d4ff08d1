"""Grid meters: what they are asked, what a sane answer is, and how long one counts. Import in MW, positive."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from models.errors import CherguiError

_log = logging.getLogger("chergui.guard")


class MeterLost(CherguiError):
    """The meter gave no number that can be believed; ``reason`` says why."""

    code = "MeterLost"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the meter is not read: {reason}")


class Meter(Protocol):
    """A grid meter."""

    def read_mw(self) -> float:
        """Import now, MW; MeterLost where there is none."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class HttpMeter:
    """A JSON document by HTTP; ``pointer`` (RFC 6901) leads to the number, ``scale`` makes MW of it, sign included."""

    def __init__(self, url: str, pointer: str, scale: float, timeout_s: float, key_file: Path | None = None) -> None:
        self._url = urlsplit(url)
        self._steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        self._scale = scale
        self._timeout_s = timeout_s
        self._key_file = key_file

    def read_mw(self) -> float:
        """See :class:`Meter`."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._timeout_s)
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            headers = {"Accept": "application/json", "Connection": "close"}
            if self._key_file is not None:
                headers["Authorization"] = f"Bearer {self._key_file.read_text(encoding='ascii').strip()}"
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise MeterLost(f"status {answer.status}")
            found = json.loads(answer.read(1 << 20))
            for step in self._steps:
                found = found[int(step)] if isinstance(found, list) else found[step]
            if isinstance(found, bool) or not isinstance(found, (int, float)):
                raise MeterLost(f"{str(found)[:40]!r} is no number")
            return found * self._scale
        except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError, TypeError) as error:
            raise MeterLost(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()

    def close(self) -> None:
        """See :class:`Meter`."""


class Watch:
    """Reads a meter again and again in a thread of its own, so that one that hangs holds up nobody."""

    def __init__(
        self,
        meter: Meter,
        clock: Callable[[], float],
        *,
        period_s: float = 1.0,
        most_mw: float = math.inf,
        stuck_s: float = 60.0,
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._period_s = period_s
        self._most_mw = most_mw
        self._stuck_s = stuck_s
        self._fresh: float | None = None
        self._lock = threading.Lock()
        self._last: float | None = None
        self._changed_s = -math.inf
        self.fault: str | None = "not read yet"

    def take(self) -> float | None:
        """The newest reading, once: None where none came since the last taking."""
        with self._lock:
            found, self._fresh = self._fresh, None
        return found

    def run(self, stop: threading.Event) -> None:
        """Read until told to stop."""
        while not stop.is_set():
            began = self._clock()
            try:
                value = self.checked(self._meter.read_mw(), began)
            except MeterLost as lost:
                if lost.reason != self.fault:
                    _log.error("%s", lost)
                self.fault = lost.reason
            else:
                if self.fault:
                    _log.info("the meter reads %.3f MW", value)
                self.fault = None
                with self._lock:
                    self._fresh = value
            stop.wait(max(0.0, self._period_s - (self._clock() - began)))
        with contextlib.suppress(OSError):
            self._meter.close()

    def checked(self, value: float, now_s: float) -> float:
        """A reading that can be believed.

        Raises:
            MeterLost: no finite number, beyond what the connection can carry, or the very same for too long.
        """
        if not math.isfinite(value) or abs(value) > self._most_mw:
            raise MeterLost(f"{value:g} MW is beyond what the connection can carry ({self._most_mw:g} MW)")
        if value != self._last:
            self._last, self._changed_s = value, now_s
        elif self._stuck_s > 0 and now_s - self._changed_s > self._stuck_s:
            raise MeterLost(f"it has said {value:g} MW for {now_s - self._changed_s:.0f} s: it stands still")
        return value
