"""In front of a real InfluxDB 1.6: serves the v2 write path as InfluxDB 1.8 documents it.

``POST /api/v2/write?bucket=DB/RP&precision=ns`` becomes ``POST /write?db=DB&rp=RP&precision=n``; all
else goes through untouched. Test equipment: bodies, encodings, answers and errors are the server's.
"""

from __future__ import annotations

import http.client
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

PRECISIONS = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}
PASSED_UP = ("Content-Type", "Content-Encoding", "Accept", "Authorization")
PASSED_DOWN = ("Content-Type", "X-Influxdb-Version", "X-Influxdb-Error", "X-Influxdb-Build")


def v1_target(target: str) -> str:
    """The path of InfluxDB 1.x for a path of 2.x."""
    parts = urlsplit(target)
    if parts.path != "/api/v2/write":
        return target
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    database, _, policy = asked["bucket"].partition("/")
    told = {"db": database, "precision": PRECISIONS[asked.get("precision", "ns")]}
    return f"/write?{urlencode({**told, 'rp': policy} if policy else told)}"


def shim(backend: tuple[str, int], port: int) -> ThreadingHTTPServer:
    """A server on loopback in front of ``backend`` (port 0: any free one)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: self.headers[name] for name in PASSED_UP if self.headers.get(name)}
            onward = http.client.HTTPConnection(*backend, timeout=30)
            try:
                onward.request(self.command, v1_target(self.path), body or None, headers)
                answer = onward.getresponse()
                content = answer.read()
            except OSError as error:
                self.send_error(502, str(error))
                return
            finally:
                onward.close()
            self.send_response(answer.status)
            for name in PASSED_DOWN:
                if answer.headers.get(name):
                    self.send_header(name, answer.headers[name])
            if answer.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_HEAD = handle_any  # noqa: N815  names of the standard library

        def log_message(self, *_):
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    shim(("127.0.0.1", int(sys.argv[1])), int(sys.argv[2])).serve_forever()
