"""Jobs of the past from Slurm's accounting: what ``sacct`` prints, as records that run times are learned from.

    SLURM_TIME_FORMAT=%s sacct -a -X -P -S now-90days \\
        -o User,JobName,Partition,Submit,Start,End,Timelimit,AllocTRES,State

Times are epoch seconds, because sacct's own texts carry no zone. Two further columns tell what jobs drew:
``ConsumedEnergyRaw`` (J, of Slurm's energy plugin), where the caller knows what the plugin measures, and ``NodeList``,
by which telemetry can be joined. Source of the formats: sacct(1), Slurm 23.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ingest.sources.slurm.hosts import node_names
from models.errors import Fault, InvalidInput
from models.learn.ended_jobs import EndedJob

COLUMNS = ("User", "JobName", "Partition", "Submit", "Start", "End", "Timelimit", "AllocTRES", "State")
_NONE = ("", "Unknown", "None", "N/A")
_LIMIT = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?")
_NO_LIMIT = ("UNLIMITED", "Partition_Limit", "INVALID", "")
ENERGY, NODES = "ConsumedEnergyRaw", "NodeList"
_NOT_METERED_J = ("", "0", "4294967294", "18446744073709551614")  # Slurm's NO_VAL, of 32 and of 64 bits
_DRAWN_W = (10.0, 3000.0)  # a GPU at work; outside lies another unit, or energy of something else


@dataclass(frozen=True, slots=True)
class Accounting:
    """Jobs that ended, and how many rows were left out, by reason; ``no_draw``: whose energy says nothing of a GPU."""

    ended: tuple[EndedJob, ...]
    left_out: dict[str, int]
    no_draw: int = 0


def read_accounting(
    lines: Iterable[str], what: str = "the accounting", other_w: Callable[[str], float] | None = None
) -> Accounting:
    """Records of ``sacct -P`` with its heading.

    ``other_w``: W per GPU of what else is in the energy of a partition's jobs, the host for a node's meter, 0 for GPUs'
    own; None: the energy is not looked at.

    Raises:
        InvalidInput: a column is missing, or rows that cannot be read (the first ten, by line).
    """
    rows = iter(lines)
    heading = next(rows, "").strip().split("|")
    wanted = COLUMNS if other_w is None else (*COLUMNS, ENERGY)
    missing = [name for name in wanted if name not in heading]
    if missing:
        message = f"no column {', '.join(missing)}; ask for -P -o {','.join(wanted)}"
        raise InvalidInput(what, [Fault("line 1", "missing_column", message)])
    ended: list[EndedJob] = []
    left_out: Counter[str] = Counter()
    faults: list[Fault] = []
    no_draw = 0
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
            if other_w is not None and isinstance(found, EndedJob):
                found = replace(found, drawn_w=_drawn_w(row[ENERGY], found, other_w(found.partition)))
                no_draw += found.drawn_w is None
        except ValueError as error:
            faults.append(Fault(f"line {number}", "not_read", str(error)))
            continue
        if isinstance(found, EndedJob):
            ended.append(found)
        else:
            left_out[found] += 1
    if faults:
        raise InvalidInput(what, faults[:10])
    return Accounting(tuple(ended), dict(left_out), no_draw)


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
        nodes=_nodes(row.get(NODES, "")),
    )


def _nodes(text: str) -> tuple[str, ...]:
    return () if text in (*_NONE, "None assigned") else node_names(text)


def _drawn_w(text: str, job: EndedJob, other_w: float) -> float | None:
    """Mean W per GPU over the run; None where the energy was not metered, or is none that a GPU has."""
    if text in _NOT_METERED_J:
        return None
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no energy in J; print {ENERGY}, not ConsumedEnergy")
    seconds = job.run_h * 3600
    watts = int(text) / (seconds * job.gpus) - other_w if seconds > 0 else 0.0
    return watts if _DRAWN_W[0] <= watts <= _DRAWN_W[1] else None


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
