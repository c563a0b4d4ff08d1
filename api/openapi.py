"""``python -m api.openapi FILE``: write the OpenAPI document, which is committed and held against the code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from api.app import bare_app


def main() -> None:
    """Write it."""
    Path(sys.argv[1]).write_text(
        json.dumps(bare_app().openapi(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
