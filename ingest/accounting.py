"""Jobs of the past from Slurm's accounting: what ``sacct`` prints, as records that run times are learned from.

    SLURM_TIME_FORMAT=%s sacct -a -X -P -S now-90days \\
        -o User,JobName,Partition,Submit,Start,End,Timelimit,AllocTRES,State

Times are epoch seconds, because sacct's own texts carry no zone. Source of the formats: sacct(1), Slurm 23.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from models.errors import Fault, InvalidInput
from models.learn.ended_jobs import EndedJob

COLUMNS = ("User", "JobName", "Partition", "Submit", "Start", "End", "Timelimit", "AllocTRES", "State")
_NONE = ("", "Unknown", "None", "N/A")
_LIMIT = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?")
_NO_LIMIT = ("UNLIMITED", "Partition_Limit", "INVALID", "")


@dataclass(frozen=True, slots=True)
class Accounting:
    """Jobs that ended, and how many rows were left out, by reason."""

    ended: tuple[EndedJob, ...]
    left_out: dict[str, int]


def read_accounting(lines: Iterable[str], what: str = "the accounting") -> Accounting:
    """Records of ``sacct -P`` with its heading.

    Raises:
        InvalidInput: a column is missing, or rows that cannot be read (the first ten, by line).
    """
    rows = iter(lines)
    heading = next(rows, "").strip().split("|")
    missing = [name for name in COLUMNS if name not in heading]
    if missing:
        message = f"no column {', '.join(missing)}; ask for -P -o {','.join(COLUMNS)}"
        raise InvalidInput(what, [Fault("line 1", "missing_column", message)])
    ended: list[EndedJob] = []
    left_out: Counter[str] = Counter()
    faults: list[Fault] = []
    for number, line in enumerate(rows, start=2):
        if not line.strip():
            continue
        cells = line.rstrip("\n").split("|")
        if len(cells) != len(heading):
            message = f"{len(cells)} cells under {len(heading)} headings; print with -P and no | in job names"
            faults.append(Fault(f"line {number}", "cells", message))
            continue
        row = dict(zip(heading, cells, strict=True))
        try:
            found = _record(row)
        except ValueError as error:
            faults.append(Fault(f"line {number}", "not_read", str(error)))
            continue
        if isinstance(found, EndedJob):
            ended.append(found)
        else:
            left_out[found] += 1
    if faults:
        raise InvalidInput(what, faults[:10])
    return Accounting(tuple(ended), dict(left_out))


def _record(row: dict[str, str]) -> EndedJob | str:
    """A job that ended, or why the row is left out."""
    gpus = _gpus(row["AllocTRES"])
    if row["Start"] in _NONE:
        return "never started"
    if gpus == 0:
        return "no GPU"
    start = _moment(row["Start"])
    if row["End"] in _NONE:
        return "still running"
    if row["State"].startswith(("NODE_FAIL", "PREEMPTED", "REQUEUED", "BOOT_FAIL")):
        return "ended by the cluster, not by the job"
    submitted = min(_moment(row["Submit"]), start)
    return EndedJob(
        row["User"],
        row["JobName"],
        row["Partition"],
        gpus,
        submitted,
        start,
        _moment(row["End"]),
        _limit_h(row["Timelimit"]),
    )


def _moment(text: str) -> datetime:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no count of seconds; set SLURM_TIME_FORMAT=%s for sacct")
    return datetime.fromtimestamp(int(text), UTC)


def _limit_h(text: str) -> float | None:
    if text in _NO_LIMIT:
        return None
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time limit such as 1-12:00:00 or 30:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (days * 24 + hours + minutes / 60 + seconds / 3600) or None


def _gpus(text: str) -> int:
    found = re.search(r"(?:^|,)gres/gpu=(\d+)", text)
    return int(found[1]) if found else sum(int(n) for n in re.findall(r"gres/gpu:[^=,]+=(\d+)", text))
