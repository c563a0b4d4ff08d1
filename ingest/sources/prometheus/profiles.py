"""Rows that ship with the package, one file an exporter in ``data/exporters``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from models.checking import Checked, Text, validated
from models.telemetry import SampleRow


class Profile(Checked):
    """An exporter: what of its page becomes which metric. ``defaults`` hold for every row that says nothing else."""

    title: Text
    defaults: dict[str, Any] = Field({})
    rows: tuple[SampleRow, ...] = Field(min_length=1)


def profile_names() -> list[str]:
    """Names that a site file may write as ``profile``."""
    return sorted(path.name.removesuffix(".toml") for path in (files("data") / "exporters").iterdir())


@cache
def profile(name: str) -> Profile:
    """A profile by name.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in profile_names():
        raise KeyError(name)
    raw = tomllib.loads((files("data") / "exporters" / f"{name}.toml").read_text(encoding="utf-8"))
    rows = [{**raw.get("defaults", {}), **row} for row in raw["rows"]]
    return validated(Profile, {**raw, "rows": rows}, f"the exporter profile {name}")
