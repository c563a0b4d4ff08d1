"""``python -m agent``, and the one-file agent: the same as ``chergui agent``, with the standard library's parser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.main import ACTIONS, main
from agent.settings import CONFIG


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chergui-agent", description=main.__doc__)
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="run")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--limit-w", type=float)
    parser.add_argument("--for-s", type=float, default=3600.0)
    return parser.parse_args()


if __name__ == "__main__":
    told = _options()
    sys.exit(main(told.action, told.config, limit_w=told.limit_w, for_s=told.for_s))
