"""``python -m agent.guard``: the same as ``chergui guard``, with the standard library's parser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.guard.main import main
from agent.guard.settings import CONFIG

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="chergui-guard", description=main.__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--check", action="store_true")
    told = parser.parse_args()
    sys.exit(main(told.config, check=told.check))
