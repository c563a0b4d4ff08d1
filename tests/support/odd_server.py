"""A web server that answers as a test tells it, well or badly; a simulator of our own, on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Said:
    """An answer. ``torn``: the headers promise more than comes; ``drip_s``: seconds between bytes."""

    body: bytes | str = b""
    status: int = 200
    kind: str = "text/plain; version=0.0.4; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    torn: bool = False
    drip_s: float = 0.0
    hang_s: float = 0.0


@dataclass
class OddServer:
    """``answers`` by path: an answer, or a function of the form's fields that makes one. ``asked`` is what came, and
    ``queries`` what stood behind its paths."""

    url: str
    answers: dict[str, Said | Callable[[dict[str, str]], Said]]
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)


@contextmanager
def odd_server(**answers: Any) -> Iterator[OddServer]:
    """A server for as long as the block lasts; answers may be added to it."""
    free = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer({name: values[0] for name, values in parse_qs(raw.decode()).items()})

        def _answer(self, form: dict[str, str]) -> None:
            path = urlsplit(self.path).path
            shown.queries.append(urlsplit(self.path).query)
            shown.asked.append((path, form, {name.lower(): value for name, value in self.headers.items()}))
            said = shown.answers.get(path, Said("nothing here", 404))
            if callable(said):
                said = said(form)
            free.wait(said.hang_s)
            body = said.body.encode() if isinstance(said.body, str) else said.body
            try:
                self.send_response(said.status)
                for name, value in {"Content-Type": said.kind, **said.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + (100 if said.torn else 0)))
                self.end_headers()
                if said.drip_s:
                    for k in range(len(body)):
                        self.wfile.write(body[k : k + 1])
                        self.wfile.flush()
                        time.sleep(said.drip_s)
                else:
                    self.wfile.write(body)
            except OSError:
                pass  # the client gave up, as it should
            if said.torn:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown = OddServer(f"http://127.0.0.1:{server.server_address[1]}", dict(answers))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield shown
    finally:
        free.set()
        server.shutdown()
        server.server_close()
