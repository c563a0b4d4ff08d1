"""What we write into a job's ``AdminComment``: a sentence for its user, and what we must know again after a restart.

``chergui: starts 2026-11-28 22:00 UTC; cheaper power then; at the latest 2026-11-29 02:00 UTC [start=... begin=...]``

The state of our work stands in Slurm itself, so that a new service, another machine, or a person with ``scontrol``
can go on or undo it. A comment that others wrote is never touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

MARK = "chergui:"
_TAIL = re.compile(r"\[((?:[a-z]+=\d+ ?)+)\]\s*$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Note:
    """Numbers at the end of the comment; instants in epoch seconds, spans in minutes.

    ``start``: the StartTime that we set; ``begin``: the user's own; ``latest``: the latest start; ``restarts``: the
    job's count when we wrote; ``limit``: its time limit before we gave it more; ``done``: work kept by checkpoints;
    ``signalled``: when it was told to save itself; ``suspended``: since when it stands still by our order.
    """

    start: int | None = None
    begin: int | None = None
    latest: int | None = None
    restarts: int | None = None
    limit: int | None = None
    done: int | None = None
    signalled: int | None = None
    suspended: int | None = None

    def but(self, **changes: int | None) -> Note:
        """With some numbers changed."""
        return replace(self, **changes)

    def comment(self, sentence: str) -> str:
        """As it is written."""
        told = [f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) is not None]
        return f"{MARK} {sentence}" + (f" [{' '.join(told)}]" if told else "")


NOTHING = Note()
_NAMES = {f.name for f in fields(Note)}


def read_note(comment: str) -> Note:
    """Numbers of a comment; of one that is not ours, or damaged, none."""
    match = _TAIL.search(comment) if comment.startswith(MARK) else None
    if match is None:
        return NOTHING
    pairs = (pair.split("=") for pair in match[1].split())
    return Note(**{name: int(number) for name, number in pairs if name in _NAMES})


def may_write(comment: str) -> bool:
    """Whether a comment is free or ours."""
    return not comment.strip() or comment.startswith(MARK)


def shown(moment: datetime) -> str:
    """For people: minutes, UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
