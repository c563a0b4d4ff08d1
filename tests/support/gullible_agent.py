"""An agent as it must not be: it believes every answer, holds it for ever, and asks with no condition."""

from __future__ import annotations

import contextlib
import json
import sys
import time
import urllib.request

url, node = sys.argv[1:]
limits = [700.0] * 4
while True:
    with contextlib.suppress(Exception):
        with urllib.request.urlopen(f"{url}/api/v1/caps/nodes/{node}", timeout=2) as answer:
            told = json.load(answer)
        limits = [told["default"]["limit_w"]] * 4
        for row in told["gpus"]:
            limits[row["index"]] = row["limit_w"]
    rows = [{"index": k, "applied_w": limit} for k, limit in enumerate(limits)]
    with contextlib.suppress(Exception):
        report = urllib.request.Request(f"{url}/api/v1/agents/{node}/report", json.dumps({"gpus": rows}).encode())
        urllib.request.urlopen(report, timeout=2).close()
    time.sleep(0.1)
