"""Slurm's short ways of writing: node lists, GPU counts and indices, array tasks."""

from __future__ import annotations

import re

_MOST = 200_000
_RANGE = re.compile(r"(\d+)(?:-(\d+))?(?::(\d+))?", re.ASCII)
_LEAD = re.compile(r"^gres[:/]")


def node_names(text: str) -> tuple[str, ...]:
    """``gpu[01-03,7],login`` as names, in the order written; leading zeros are kept.

    Raises:
        ValueError: brackets that do not close, a range that is none, or more than 200,000 names.
    """
    names: list[str] = []
    for part in _parts(text):
        names += _expanded(part)
        if len(names) > _MOST:
            raise ValueError(f"{text[:60]!r} names more than {_MOST} nodes")
    return tuple(names)


def _parts(text: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth, last = [], 0, 0
    for k, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            parts.append(text[last:k])
            last = k + 1
    if depth:
        raise ValueError(f"brackets of {text[:60]!r} do not close")
    return [part for part in [*parts, text[last:]] if part]


def _expanded(part: str) -> list[str]:
    head, bracket, rest = part.partition("[")
    if not bracket:
        return [part]
    inside, _, after = rest.partition("]")
    tails = _expanded(after) if after else [""]
    return [f"{head}{number}{tail}" for number in _numbers(inside) for tail in tails]


def _numbers(text: str) -> list[str]:
    found: list[str] = []
    for item in text.split(","):
        match = _RANGE.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is no number and no range")
        first, last, step = match[1], match[2] or match[1], int(match[3] or 1)
        if step < 1 or (int(last) - int(first)) // step >= _MOST:
            raise ValueError(f"{item!r} is more than {_MOST} numbers")
        found += [str(k).zfill(len(first)) for k in range(int(first), int(last) + 1, step)]
    return found


def gpu_count(text: str) -> int:
    """GPUs in ``gres:gpu:h100:4,gres:nvme:1`` and the newer ``gres/gpu:8``, ``gres/gpu:h100=4``; 0 where none.

    A total beside its own types (``gres/gpu=8,gres/gpu:h100=8``) counts once.
    """
    plain, typed = 0, 0
    for entry in text.split(","):
        parts = re.split("[:=]", _LEAD.sub("", entry.strip()).partition("(")[0])
        if parts[0] != "gpu":
            continue
        counted = parts[-1].isascii() and parts[-1].isdigit()
        count = int(parts[-1]) if counted else 1
        if len(parts) > 1 + counted:
            typed += count
        else:
            plain += count
    return max(plain, typed)


def gpu_indices(text: str) -> tuple[int, ...]:
    """GPUs of one node in ``gpu:h100:3(IDX:0,4-5)``, by index; empty where it names none."""
    found: list[int] = []
    for kind, inside in re.findall(r"(\w+)[^,(]*\(IDX:([0-9,-]+)\)", text):
        if kind == "gpu":
            found += [int(number) for number in _numbers(inside)]
    return tuple(sorted(set(found)))


def task_count(text: str) -> int:
    """Tasks that still wait in an array's ``0-3,7,10-20:2%4``; 1 for no array.

    Raises:
        ValueError: it is not written like that.
    """
    listed = text.partition("%")[0]
    return len(_numbers(listed)) if listed else 1
