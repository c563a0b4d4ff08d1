"""A TOML file read key by key: every fault is noted with its place, and a key that nobody asked for is one."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from models.errors import Fault, InvalidInput

_Settings = TypeVar("_Settings")


class Table:
    """One table of the file: takes its keys, notes what is wrong, and what nobody asked for."""

    def __init__(self, raw: Mapping[str, Any], place: str, faults: list[Fault]) -> None:
        self._raw = dict(raw)
        self._place = place
        self._faults = faults

    def fault(self, name: str, code: str, message: str) -> None:
        """Note a fault of one key."""
        self._faults.append(Fault(f"{self._place}{name}", code, message))

    def text(self, name: str, default: str | None = None, among: tuple[str, ...] = ()) -> str | None:
        """A text, of some ``among`` others."""
        value = self._raw.pop(name, default)
        if value is not None and (not isinstance(value, str) or not value):
            self.fault(name, "not_text", f"{value!r} is no text; write it in quotes")
            return default
        if among and value not in among:
            self.fault(name, "unknown", f"{value!r} is none of {', '.join(among)}")
            return default
        return value

    def path(self, name: str, default: Path | None = None) -> Path | None:
        """A path."""
        value = self.text(name)
        return default if value is None else Path(value)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A finite number in [low, high]."""
        if name not in self._raw:
            return default
        value = self._raw.pop(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            self.fault(name, "not_number", f"{value!r} is no finite number")
            return default
        if not low <= value <= high:
            self.fault(name, "out_of_range", f"{value:g} lies outside {low:g} to {high:g}")
            return default
        return float(value)

    def needed(self, name: str, low: float, high: float) -> float:
        """A number that must be there."""
        if name not in self._raw:
            self.fault(name, "missing", f"this is needed, {low:g} to {high:g}")
        return self.number(name, high, low, high)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._raw.pop(name, default)
        if isinstance(value, bool):
            return value
        self.fault(name, "not_bool", f"{value!r} is neither true nor false")
        return default

    def words(self, name: str) -> tuple[str, ...]:
        """A command as a list of words."""
        value = self._raw.pop(name, [])
        if isinstance(value, list) and all(isinstance(word, str) and word for word in value):
            return tuple(value)
        self.fault(name, "not_command", f'{value!r} is no command; write ["/path/of/program", "argument"]')
        return ()

    def pairs(self, name: str) -> tuple[tuple[float, float], ...]:
        """Rows of two positive numbers, both rising."""
        value = self._raw.pop(name, [])
        rows = value if isinstance(value, list) else [None]
        good = [row for row in rows if isinstance(row, list) and len(row) == 2 and all(_is_positive(x) for x in row)]
        pairs = sorted((float(a), float(b)) for a, b in good)
        if len(good) != len(rows) or any(a[0] == b[0] or a[1] > b[1] for a, b in pairwise(pairs)):
            self.fault(name, "not_table", "write rows [limit in W, SM clock in MHz], the clock rising with the limit")
        return tuple(pairs)

    def table(self, name: str) -> Table:
        """A table inside this one."""
        value = self._raw.pop(name, {})
        if not isinstance(value, dict):
            self.fault(name, "not_table", f"{value!r} is no table; write [{name}]")
            value = {}
        return Table(value, f"{self._place}{name}.", self._faults)

    def done(self) -> None:
        """Name every key that was not asked for."""
        for name in self._raw:
            self.fault(name, "unknown", f"there is no setting {name!r} here; see docs/guide/agent.md")


def _is_positive(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and 0 < value < math.inf


def read_file(path: Path, make: Callable[[Table], _Settings]) -> _Settings:
    """What ``make`` takes from a file.

    Raises:
        InvalidInput: the file cannot be read, or with every fault in it.
    """
    what = f"the configuration {path}"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(what, [Fault("", "unreadable", f"{error.strerror}; name the file with --config")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(what, [Fault("", "not_toml", str(error))]) from None
    faults: list[Fault] = []
    settings = make(Table(raw, "", faults))
    if faults:
        raise InvalidInput(what, faults)
    return settings
