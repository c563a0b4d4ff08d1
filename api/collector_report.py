"""What the collector process last said of itself, in a file for the other processes. Light."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_report(path: Path, told: dict[str, object]) -> None:
    """Replace the report; readers see the old or the new one, never half of one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(told), encoding="utf-8")
    fresh.replace(path)


def read_report(path: Path) -> dict[str, Any] | None:
    """The last report; None where there is none that can be read."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told
