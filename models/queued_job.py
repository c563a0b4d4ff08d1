"""A job as its scheduler or list tells it, before anybody has said what that means here; and a job's own words.

Users speak to the planner in ``--comment`` or ``--extra``: ``chergui=on delay=4h``, or JSON with an object
``chergui``. Words that cannot be read are told, and the job is left alone: a guess would move somebody's work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339
from models.strict_json import loads

JobSourceName = Literal["slurm", "csv", "json"]
QueueState = Literal["queued", "running", "paused"]
_PAIR = re.compile(r"([a-z_]+)=(\S+)")
_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?", re.ASCII)
_MOST_H = 24.0 * 400
_WORKLOADS = ("pretrain", "finetune", "inference")
_WAYS = ("pools", "gpus_min", "rent")
WORDS = (
    *("chergui", "delay", "deadline", "work", "workload", "pausable", "floor_w"),
    *_WAYS,
    *("residency", "checkpoint_gb", "surplus"),
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a job says of itself; None: it says nothing of that. Hours."""

    takes_part: bool | None = None
    delay_h: float | None = None
    deadline: datetime | None = None
    work_h: float | None = None
    workload: str | None = None
    pausable: bool | None = None
    floor_w: float | None = None
    pools: tuple[str, ...] | None = None
    gpus_min: int | None = None
    rent: bool | None = None
    residency: tuple[str, ...] | None = None
    checkpoint_gb: float | None = None
    surplus: bool | None = None

    @property
    def ways(self) -> list[str]:
        """Words that ask for other ways to run."""
        return [word for word in _WAYS if getattr(self, word)]


SILENT = Words()


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """Facts of one job. ``id`` is unique in the site.

    ``eligible_at`` is what the user or the scheduler set as the earliest start, ``limit_h`` the time limit of one
    run, ``ran_h`` the run time of the present session, ``done_h`` that of earlier ones that a checkpoint kept.
    ``nodes`` are the scheduler's names of those that it runs on. ``bars`` says why it cannot be planned, if so.
    """

    id: str
    source: JobSourceName
    state: QueueState
    gpus: int
    submitted_at: datetime
    eligible_at: datetime | None = None
    deadline: datetime | None = None
    limit_h: float | None = None
    ran_h: float = 0.0
    done_h: float = 0.0
    count: int = 1
    partition: str = ""
    qos: str = ""
    account: str = ""
    user: str = ""
    name: str = ""
    pool: str | None = None
    nodes: tuple[str, ...] = ()
    held: bool = False
    requeue: bool = True
    words: Words = SILENT
    bars: str | None = None
    expected_h: float | None = None
    """Run time of the whole job that its likes lead one to expect; it counts in place of the time limit."""
    drawn_w: float | None = None
    """W per GPU at full power that its likes lead one to expect; its curve is taken in that proportion."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the contract's job that a list states itself; they win over the policy's."""


def span_h(text: str) -> float:
    """Hours of ``1d12h``, ``4h``, ``90m``.

    Raises:
        ValueError: it is not written like that.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no span of time; write one such as 4h, 90m or 1d12h")
    days, hours, minutes = (float(part or 0) for part in match.groups())
    found = days * 24 + hours + minutes / 60
    if found > _MOST_H:
        raise ValueError(f"{text!r} is more than {_MOST_H:g} h; write less")
    return found


def read_words(*texts: str) -> Words:
    """Words of a job's texts, such as ``--comment`` and ``--extra``; later texts win. Texts of others are passed over.

    Raises:
        InvalidInput: a text is meant for us and cannot be read; every fault at once.
    """
    told: dict[str, str] = {}
    faults: list[Fault] = []
    for text in texts:
        told |= _pairs(text, faults)
    found: dict[str, Any] = {}
    for key, value in told.items():
        try:
            found |= _word(key, value)
        except ValueError as error:
            faults.append(Fault(key, "bad_word", str(error)))
    if faults:
        raise InvalidInput("what the job says of itself", faults)
    return Words(**found)


def _pairs(text: str, faults: list[Fault]) -> dict[str, str]:
    """Our words in a text: nothing unless it names us."""
    if "chergui" not in text:
        return {}
    if not text.lstrip().startswith("{"):
        pairs = dict(_PAIR.findall(text))
        return {key: value for key, value in pairs.items() if key in WORDS} if "chergui" in pairs else {}
    try:
        raw = loads(text.encode(), "the comment")
    except InvalidInput as error:
        faults += error.faults
        return {}
    ours = raw.get("chergui") if isinstance(raw, dict) else None
    if isinstance(ours, dict):
        return {"chergui": "on", **{str(key): _plain(value) for key, value in ours.items()}}
    return {} if ours is None else {"chergui": _plain(ours)}


def _plain(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _word(key: str, value: str) -> dict[str, Any]:
    if key in ("chergui", "pausable", "rent", "surplus"):
        if value not in ("on", "off"):
            raise ValueError(f"{value!r} is neither on nor off")
        return {"takes_part" if key == "chergui" else key: value == "on"}
    if key in ("delay", "work"):
        return {f"{key}_h": span_h(value)}
    if key == "deadline":
        return {key: parse_rfc3339(value)}
    if key == "floor_w":
        if not re.fullmatch(r"\d{1,5}", value, re.ASCII):
            raise ValueError(f"{value!r} is no whole number of watts")
        return {key: float(value)}
    if key in ("pools", "residency"):
        return {key: _names(value)}
    if key == "gpus_min":
        if not re.fullmatch(r"[1-9]\d{0,6}", value, re.ASCII):
            raise ValueError(f"{value!r} is no whole number of GPUs")
        return {key: int(value)}
    if key == "checkpoint_gb":
        if not re.fullmatch(r"\d{1,7}(\.\d{1,3})?", value, re.ASCII):
            raise ValueError(f"{value!r} is no number of GB")
        return {key: float(value)}
    if key == "workload":
        if value not in _WORKLOADS:
            raise ValueError(f"{value!r} is none of {', '.join(_WORKLOADS)}")
        return {key: value}
    raise ValueError(f"is unknown; known: {', '.join(WORDS)}")


def _names(value: str) -> tuple[str, ...]:
    """``a,b`` as names; JSON lists come as their text."""
    names = tuple(name.strip(" '\"[]") for name in value.split(","))
    wrong = [name for name in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no name; write names with commas between them, and no spaces")
    return names
