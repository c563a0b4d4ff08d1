"""A real InfluxDB 1.6.7 on loopback, and the way to it for a v2 client."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from v2_shim import shim

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
[ifql]
  enabled = false
[monitor]
  store-enabled = false
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def influxql(port: int, statement: str) -> bytes:
    body = urllib.parse.urlencode({"q": statement}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/query", body, timeout=10) as answer:
        return answer.read()


@contextmanager
def influxd(folder: Path):
    """Yields (url of the shim, port of the server); None where it is not installed."""
    binary = shutil.which("influxd")
    if binary is None:
        yield None
        return
    rpc, http = free_port(), free_port()
    config = folder / "influxd.conf"
    config.write_text(CONFIG.format(rpc=rpc, http=http, folder=folder))
    log = (folder / "influxd.log").open("w")
    server = subprocess.Popen([binary, "-config", str(config)], stdout=log, stderr=log)
    front = shim(("127.0.0.1", http), 0)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                influxql(http, "SHOW DATABASES")
                break
            except (urllib.error.URLError, ConnectionError):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"influxd did not start: {(folder / 'influxd.log').read_text()[-2000:]}"
                    ) from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{front.server_address[1]}", http
    finally:
        front.shutdown()
        front.server_close()
        server.terminate()
        server.wait(20)
        log.close()
