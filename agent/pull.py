"""One question to the service, with a deadline for the whole of it and a bound on its size.

A socket's timeout counts between two bytes; a peer that drips them could hold a connection for hours. So a timer shuts
the socket when the time is over. Whatever goes wrong comes back as :class:`NoAnswer`: it is no word about caps, and by
itself changes no state.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.orders import MAX_LEASE_S
from models.errors import CherguiError
from models.horizon import parse_rfc3339
from models.lease import Version

_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


class NoAnswer(CherguiError):
    """The service gave none that can be used; ``status`` is 0 where there was not even one, ``retry_s`` its wish."""

    code = "NoAnswer"

    def __init__(self, why: str, status: int = 0, retry_s: float | None = None) -> None:
        self.why = why
        self.status = status
        self.retry_s = retry_s
        super().__init__(f"no usable answer: {why}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 with its body, or a 304 with none."""

    status: int
    body: bytes
    version: Version
    ttl_s: float
    server_s: float
    token: str | None
    etag: str | None
    waits: bool = False
    """Whether the service can hold an unchanged answer back, and so is to be asked again at once."""


class Service:
    """The service at ``server``; ``key_file`` is read at every question, so that a new key needs no restart."""

    def __init__(
        self,
        server: str,
        *,
        key_file: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 5.0,
        max_body_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._url = urlsplit(server)
        self._key_file = key_file
        self._timeout_s = timeout_s
        self._most = max_body_bytes
        self._tls = ssl.create_default_context(cafile=ca_file) if self._url.scheme == "https" else None

    def ask(self, path: str, *, held: Version | None = None, token: str | None = None, wait_s: float = 0.0) -> Answer:
        """Pull caps. ``held`` makes it conditional, ``token`` asks to rejoin, ``wait_s`` lets the service hold a 304.

        Raises:
            NoAnswer: see there.
        """
        headers: dict[str, str] = {}
        if held is not None:
            headers["If-None-Match"] = f'W/"{held}"'
            if wait_s > 0:
                headers["Prefer"] = f"wait={math.ceil(wait_s)}"
        if token is not None:
            headers["Chergui-Rejoin"] = token
        status, got, body = self._exchange("GET", path, headers, None, self._timeout_s + (wait_s if held else 0.0))
        if status not in (200, 304):
            raise NoAnswer(f"status {status}", status, _retry_s(got.get("retry-after")))
        return Answer(
            status,
            body,
            _header_version(got),
            _header_ttl(got),
            _header_time(got),
            got.get("chergui-rejoin"),
            got.get("etag"),
            "wait=" in got.get("preference-applied", ""),
        )

    def tell(self, path: str, report: Mapping[str, Any]) -> None:
        """Hand in a report.

        Raises:
            NoAnswer: it was not taken.
        """
        headers = {"Content-Type": "application/json"}
        status, got, _ = self._exchange("POST", path, headers, json.dumps(report).encode(), self._timeout_s)
        if status // 100 != 2:
            raise NoAnswer(f"status {status}", status, _retry_s(got.get("retry-after")))

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, within_s: float
    ) -> tuple[int, dict[str, str], bytes]:
        headers |= {"Accept": "application/json", "Cache-Control": "no-cache", "Connection": "close"}
        try:
            if self._key_file is not None:
                headers["Authorization"] = f"Bearer {self._key_file.read_text(encoding='ascii').strip()}"
            with self._connection(within_s) as connection:
                connection.request(method, self._url.path.rstrip("/") + path, body, headers)
                answer = connection.getresponse()
                got = {name.lower(): value for name, value in answer.getheaders()}
                content = answer.read(self._most + 1)
                if answer.length:
                    raise NoAnswer("the body is cut short" if len(content) <= self._most else "the body is too large")
                if len(content) > self._most:
                    raise NoAnswer(f"the body is larger than {self._most} bytes; see max_body_bytes")
                return answer.status, got, content
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from None

    @contextmanager
    def _connection(self, within_s: float) -> Iterator[http.client.HTTPConnection]:
        host, port = self._url.hostname or "", self._url.port
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=within_s)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=within_s, context=self._tls)
        connection.response_class = _WholeHead
        connection.connect()
        # Kept here: the connection forgets its socket as soon as the answer says that it is the last.
        over = threading.Timer(within_s, _shut, [connection.sock])
        over.daemon = True
        over.start()
        try:
            yield connection
        finally:
            over.cancel()
            connection.close()


class _Lines:
    """A stream that remembers whether it ended within its lines."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.ended = False

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._stream.readline(limit)
        self.ended = not line.endswith(b"\n")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _WholeHead(http.client.HTTPResponse):
    """An answer whose head is whole: the library takes the end of the connection for the end of the head, and half a
    number for a number."""

    def begin(self) -> None:
        lines = _Lines(self.fp)
        self.fp = lines  # type: ignore[assignment]
        super().begin()
        if lines.ended:
            raise http.client.HTTPException("the head is cut short")


def _shut(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _header_version(got: Mapping[str, str]) -> Version:
    try:
        return Version.parse(got.get("chergui-plan-version", ""))
    except ValueError as error:
        raise NoAnswer(f"Chergui-Plan-Version: {error}") from None


def _header_ttl(got: Mapping[str, str]) -> float:
    text = got.get("chergui-lease-ttl", "")
    if not _WHOLE.fullmatch(text) or float(text) > MAX_LEASE_S:
        raise NoAnswer(f"Chergui-Lease-Ttl {text!r} is no number of seconds within a day")
    return float(text)


def _header_time(got: Mapping[str, str]) -> float:
    try:
        return parse_rfc3339(got.get("chergui-server-time", "")).timestamp()
    except ValueError as error:
        raise NoAnswer(f"Chergui-Server-Time: {error}") from None


def _retry_s(text: str | None) -> float | None:
    return min(300.0, float(text)) if text and _WHOLE.fullmatch(text) else None
