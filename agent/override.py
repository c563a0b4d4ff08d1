"""An operator's own limit on this machine: it only lowers, and ends by itself on the boot clock."""

from __future__ import annotations

import json
import math
from pathlib import Path

from agent.clock import boot_id, boot_s

MAX_S = 86_400.0
_FILE = "override.json"


def set_override(run_dir: Path, limit_w: float, for_s: float) -> None:
    """Hold every GPU of this machine to ``limit_w`` for a while (a day at most); 0 s ends it."""
    path = run_dir / _FILE
    if for_s <= 0:
        path.unlink(missing_ok=True)
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    until = boot_s() + min(for_s, MAX_S)
    beside.write_text(json.dumps({"boot": boot_id(), "until_boot_s": until, "limit_w": limit_w}), encoding="ascii")
    beside.replace(path)


def override_w(run_dir: Path, now_s: float) -> float:
    """The limit that holds now; infinite where there is none."""
    try:
        raw = json.loads((run_dir / _FILE).read_text(encoding="ascii"))
        holds = raw["boot"] == boot_id() and now_s < float(raw["until_boot_s"])
        return float(raw["limit_w"]) if holds else math.inf
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf
