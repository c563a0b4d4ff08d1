"""The kit's service: one thread a question, and every answer as the script of the moment wants it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NODE = "kit-n1"
POOL = "kit"
MIN_W, IDLE_W, DEFAULT_W, MAX_W = 200.0, 300.0, 450.0, 700.0
GRANT_W, SOFT_W = 600.0, 250.0
"""What the usual plan gives GPU 0 (above the default: a grant) and GPU 1 (below it: a restriction)."""


@dataclass(frozen=True, slots=True)
class Times:
    """Timers of a lease, s."""

    ttl_s: int
    poll_s: float
    stale_after_s: float


def body(version: tuple[int, int], times: Times, **changes: Any) -> dict[str, Any]:
    """An answer for the kit's node: a grant for GPU 0, a restriction for GPU 1, nothing said of the others."""
    found: dict[str, Any] = {
        "schema_version": "1.0",
        "site": "kit",
        "mode": "auto",
        "source": "plan",
        "reason": None,
        "plan_version": {"epoch": version[0], "seq": version[1]},
        "plan_id": "pln_kit",
        "rung": "MILP",
        "valid_until": rfc3339_in(86_400),
        "lease": {"ttl_s": float(times.ttl_s), "poll_s": times.poll_s, "stale_after_s": times.stale_after_s},
        "pool": POOL,
        "node": NODE,
        "default": {
            "limit_w": DEFAULT_W,
            "idle_limit_w": IDLE_W,
            "admit_starts": False,
            "suspend_order": ["low", "normal"],
            "nodes_may_switch_off": False,
        },
        "clamp": {"min_w": MIN_W, "max_w": MAX_W},
        "placement": "agent",
        "gpus": [
            {"index": 0, "job": "granted", "limit_w": GRANT_W},
            {"index": 1, "job": "restricted", "limit_w": SOFT_W},
        ],
    }
    return found | changes


def rfc3339_in(seconds: float) -> str:
    """An instant from now, whole seconds."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Script:
    """How the service answers a question about caps. ``None`` in a header field: the truth."""

    body: Mapping[str, Any]
    ttl_s: int
    status: int = 200
    raw: bytes | None = None
    version: str | None = None
    only_304: bool = False
    token: str | None = None
    """Given back in place of the question's own; empty: none is given back."""
    stall_s: float = 0.0
    drip_s: float = 0.0
    """Between two bytes of the body."""
    clock_s: float = 0.0
    """The service's clock is off by so much."""
    cut: int = 0
    """Bytes of the body that the head promises and that never come."""
    cut_head: bool = False
    """The head ends within its last line, and nothing follows."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def but(self, **changes: Any) -> Script:
        """The same with changes."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent asked, when (monotonic s); header names in lower case."""

    path: str
    headers: Mapping[str, str]
    at_s: float


class FakeService:
    """Listens on a free port of this machine until closed."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Question] = []
        self.reports: list[tuple[float, dict[str, Any]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                with contextlib.suppress(OSError):  # the agent has had enough
                    owner._answer(self)

            def do_POST(self) -> None:
                with contextlib.suppress(OSError):
                    owner._hear(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _hear(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with contextlib.suppress(ValueError):
            self.reports.append((time.monotonic(), json.loads(content)))
        handler.send_response(204)
        handler.end_headers()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        script = self.script
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Question(handler.path, headers, time.monotonic()))
        if script.stall_s:
            time.sleep(script.stall_s)
        told = script.body["plan_version"]
        version = script.version or f"{told['epoch']}.{told['seq']}"
        content = json.dumps(script.body).encode() if script.raw is None else script.raw
        status = script.status
        if status == 200 and (script.only_304 or headers.get("if-none-match") == f'W/"{version}"'):
            status, content = 304, b""
        handler.send_response(status)
        handler.send_header("ETag", f'W/"{version}"')
        handler.send_header("Chergui-Plan-Version", version)
        handler.send_header("Chergui-Lease-Ttl", str(script.ttl_s))
        handler.send_header("Chergui-Server-Time", rfc3339_in(script.clock_s))
        token = headers.get("chergui-rejoin", "") if script.token is None else script.token
        if token:
            handler.send_header("Chergui-Rejoin", token)
        for name, value in script.headers.items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Length", str(len(content) + script.cut))
        if script.cut_head:
            handler.flush_headers()
            return
        handler.end_headers()
        if not script.drip_s:
            handler.wfile.write(content)
            return
        for byte in content:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(script.drip_s)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
