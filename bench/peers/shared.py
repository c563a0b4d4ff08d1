"""The peers' scripts, instances and checker beside the checkout, read where they lie and never copied."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "peers"


class Missing(Exception):
    """Something that the comparison needs is not there; the message says what and where it was looked for."""


def there(path: Path) -> Path:
    """The path, if something is there.

    Raises:
        Missing: nothing is.
    """
    if not path.exists():
        raise Missing(f"{path} is not there; the peers' instances and scripts lie beside the checkout, in shared/peers")
    return path


def instances(folder: Path, families: str, sizes: str) -> list[Path]:
    """Instance files of some families and numbers of jobs, both comma-separated, in that order.

    Raises:
        Missing: one of them is not there.
    """
    there(folder)
    wanted = [(f.strip(), int(n)) for f in families.split(",") for n in sizes.split(",")]
    return [there(folder / "instances" / f"{family}_n{jobs:03d}_s1.json") for family, jobs in wanted]


def references(folder: Path) -> dict[str, dict[str, Any]]:
    """Best known cost and proven bound of every instance, by its name."""
    found: dict[str, dict[str, Any]] = json.loads(there(folder / "reference.json").read_text(encoding="utf-8"))
    return found


def load(path: Path) -> ModuleType:
    """A module from a file of that folder, outside any package.

    Raises:
        Missing: the file is not there.
    """
    spec = importlib.util.spec_from_file_location(f"peers_{path.stem}", there(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing is written beside it either
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = kept
    return module
