"""``python -m agent``, and the one-file agent: the same as ``chergui agent``, with the standard library's parser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.main import ACTIONS, main
from agent.settings import CONFIG
from agent.sweep import Order


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chergui-agent", description=main.__doc__)
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="run")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--limit-w", type=float)
    parser.add_argument("--for-s", type=float, default=3600.0)
    parser.add_argument("--limits", type=lambda text: tuple(float(w) for w in text.split(",")))
    parser.add_argument("--gpus", type=lambda text: tuple(int(k) for k in text.split(",")), default=())
    parser.add_argument("--progress", type=Path)
    parser.add_argument("--out", type=Path, default=Path("sweep.json"))
    parser.add_argument("--settle-s", type=float, default=10.0)
    parser.add_argument("--window-s", type=float, default=20.0)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--give-back", action="store_true")
    told = parser.parse_args()
    if told.action == "sweep" and not told.give_back and not (told.limits and told.progress):
        parser.error("sweep needs --limits and --progress, or --give-back")
    return told


def _order(told: argparse.Namespace) -> Order | None:
    if told.action != "sweep" or told.give_back:
        return None
    return Order(told.limits, told.progress, told.out, told.gpus, told.settle_s, told.window_s, told.windows)


if __name__ == "__main__":
    told = _options()
    sys.exit(main(told.action, told.config, limit_w=told.limit_w, for_s=told.for_s, sweep=_order(told)))
