"""JSON as the contract wants it: finite numbers, no key twice, and the pointer of what is wrong.

The standard reader takes NaN, turns 1e999 into infinity and lets the last of two equal keys win;
pydantic never sees any of it. Here the reader marks such places while it parses, at C speed, and
one walk afterwards turns the marks into JSON pointers.
"""

from __future__ import annotations

import json
import math
from typing import Any

from models.errors import Fault, InvalidInput

MAX_DEPTH = 64


class _Mark:
    """Stands where a value may not stand."""

    __slots__ = ("code", "message")

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message


class _Doubled(dict[str, Any]):
    """An object in which some key came twice."""

    keys_twice: tuple[str, ...] = ()


def _constant(word: str) -> _Mark:
    return _Mark("not_finite", f"{word} is not a JSON number; write a finite number, or null where the field allows it")


def _float(text: str) -> float | _Mark:
    value = float(text)
    if math.isinf(value):
        return _Mark("not_finite", f"{text[:40]} is beyond the largest finite number; write a finite number")
    return value


def _int(text: str) -> int | float | _Mark:
    if len(text) > 400:
        return _Mark("not_finite", f"a number of {len(text)} digits; write a finite number")
    value = int(text)
    if abs(value) >= 1 << 1023:
        return _Mark("not_finite", f"a number of {len(text)} digits is beyond the largest finite number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = []
    for key, _ in pairs:
        if key in seen:
            twice.append(key)
        seen.add(key)
    doubled = _Doubled(found)
    doubled.keys_twice = tuple(dict.fromkeys(twice))
    return doubled


def pointer(*path: str | int) -> str:
    """RFC 6901 pointer of a path of keys and indices."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _faults(root: Any) -> list[Fault]:
    found: list[Fault] = []
    stack: list[tuple[Any, tuple[str | int, ...]]] = [(root, ())]
    while stack:
        value, path = stack.pop()
        if len(path) > MAX_DEPTH:
            found.append(Fault(pointer(*path[:4]), "too_deep", f"nested deeper than {MAX_DEPTH} levels; flatten it"))
            continue
        if isinstance(value, _Mark):
            found.append(Fault(pointer(*path), value.code, value.message))
        elif isinstance(value, dict):
            if isinstance(value, _Doubled):
                found.extend(
                    Fault(pointer(*path, key), "duplicate_key", f"key {key!r} stands twice in this object; keep one")
                    for key in value.keys_twice
                )
            stack.extend((v, (*path, k)) for k, v in value.items() if isinstance(v, (dict, list, _Mark)))
        elif isinstance(value, list):
            stack.extend((v, (*path, k)) for k, v in enumerate(value) if isinstance(v, (dict, list, _Mark)))
    return sorted(found, key=lambda fault: fault.pointer)


def loads(data: bytes | str, what: str = "the document") -> Any:
    """Parse JSON text strictly.

    Raises:
        InvalidInput: not UTF-8, not JSON, nested too deep, a key twice in one object, or a number
            that is not finite; each fault carries its JSON pointer.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise InvalidInput(
            what, [Fault("", "not_utf8", f"byte {error.start} is not UTF-8; save it as UTF-8")]
        ) from None
    try:
        value = json.loads(
            text, parse_constant=_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(what, [Fault("", "not_json", f"not JSON at {place}: {error.msg}")]) from None
    except RecursionError:
        raise InvalidInput(
            what, [Fault("", "too_deep", f"nested deeper than {MAX_DEPTH} levels; flatten it")]
        ) from None
    faults = _faults(value)
    if faults:
        raise InvalidInput(what, faults)
    return value
