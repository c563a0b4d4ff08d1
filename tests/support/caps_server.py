"""A service as an agent sees it, in a thread: answers are set by the test, one that lies included."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def body(version: tuple[int, int] = (1, 1), **changes: Any) -> dict[str, Any]:
    """An answer for node ``hall-n1``: a plan that grants 600 W to GPU 0's job and nothing to the others."""
    found: dict[str, Any] = {
        "schema_version": "1.0",
        "site": "local",
        "mode": "auto",
        "source": "plan",
        "reason": None,
        "plan_version": {"epoch": version[0], "seq": version[1]},
        "plan_id": "pln_1",
        "rung": "MILP",
        "valid_until": "2099-01-01T00:00:00Z",
        "lease": {"ttl_s": 900.0, "poll_s": 30.0, "stale_after_s": 120.0},
        "pool": "hall",
        "node": "hall-n1",
        "default": {
            "limit_w": 450.0,
            "idle_limit_w": 300.0,
            "admit_starts": False,
            "suspend_order": ["low", "normal"],
            "nodes_may_switch_off": True,
        },
        "clamp": {"min_w": 200.0, "max_w": 700.0},
        "placement": "scheduler",
        "gpus": [{"index": 0, "job": "llm-7", "limit_w": 600.0}],
    }
    return found | changes


class CapsServer:
    """Serves ``self.body`` at every path; ``self.lie`` is called with the handler instead where it is set."""

    def __init__(self) -> None:
        self.body = body()
        self.ttl_s = 900
        self.status = 200
        self.echo = True
        self.raw: bytes | None = None
        self.stall_s = 0.0
        self.drip = False
        self.asked: list[dict[str, str]] = []
        self.reports: list[dict[str, Any]] = []
        self.report_status = 204
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                owner.answer(self)

            def do_POST(self) -> None:
                owner.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(owner.report_status)
                if owner.report_status == 503:
                    self.send_header("Retry-After", "1")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append({key.lower(): value for key, value in handler.headers.items()} | {"path": handler.path})
        if self.stall_s:
            time.sleep(self.stall_s)
        content = json.dumps(self.body).encode() if self.raw is None else self.raw
        told = self.body["plan_version"]
        version = f"{told['epoch']}.{told['seq']}"
        status = self.status
        if status == 200 and handler.headers.get("If-None-Match") == f'W/"{version}"':
            status, content = 304, b""
        handler.send_response(status)
        handler.send_header("ETag", f'W/"{version}"')
        handler.send_header("Chergui-Plan-Version", version)
        handler.send_header("Chergui-Lease-Ttl", str(self.ttl_s))
        handler.send_header(
            "Chergui-Server-Time", datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        )
        if self.echo and "Chergui-Rejoin" in handler.headers:
            handler.send_header("Chergui-Rejoin", handler.headers["Chergui-Rejoin"])
        if status != 304:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if not self.drip:
            handler.wfile.write(content)
            return
        with contextlib.suppress(OSError):  # the client has had enough
            for byte in content:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.2)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
