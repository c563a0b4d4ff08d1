"""A row of a job list, from a JSON object or a line of CSV, as facts for the policy."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ingest.errors import SourceUnavailable
from models.checking import Above0, AtLeast0, Checked, Count, Flag, Moment, Name, Share, Text, Whole, validated
from models.errors import InvalidInput
from models.jobs import SINCE_WAYS, Priority, Workload
from models.queued_job import QueuedJob, QueueState, read_words

Format = Literal["csv", "json"]


class ListedJob(Checked):
    """What a row may say; empty cells and missing keys say nothing."""

    id: Name
    gpus: Count = Field(description="of the whole gang")
    count: Count = 1
    state: QueueState = "queued"
    submitted_at: Moment | None = Field(None, description="none: when the list was first read")
    eligible_at: Moment | None = Field(None, description="may not start before")
    deadline: Moment | None = Field(None, description="wanted by")
    limit_h: Above0 | None = Field(None, description="time limit of one run, h")
    ran_h: AtLeast0 = Field(0.0, description="hours that a running job has run")
    done_h: AtLeast0 = Field(0.0, description="hours of work that earlier runs kept")
    partition: Text = ""
    qos: Text = ""
    account: Text = ""
    user: Text = ""
    name: Text = ""
    comment: Text = Field("", description="the job's own words, such as chergui=on delay=4h")
    held: Flag = False
    pool: Name | None = None
    workload: Workload | None = None
    work_h: Above0 | None = Field(None, description="hours at full speed of the whole job")
    priority: Priority | None = None
    preemptible: Flag | None = None
    restart_loss_h: AtLeast0 | None = None
    min_run_slots: Count | None = None
    min_pause_slots: Count | None = None
    max_pauses: Whole | None = Field(None, ge=0)
    start_cost: AtLeast0 | None = None
    tenant: Name | None = None
    cap_floor_w: AtLeast0 | None = None
    pools: tuple[Name, ...] | None = None
    may_rent: Flag | None = None
    gang_sizes: tuple[Count, ...] | None = None
    gpus_min: Count | None = None
    gpus_max: Count | None = None
    gang_exponent: Share | None = None
    resizable: Flag | None = None
    resize_loss_h: AtLeast0 | None = None
    checkpoint_gb: AtLeast0 | None = None
    surplus: Flag | None = None
    residency: tuple[Name, ...] | None = None
    running_pool: Name | None = None
    running_gpus: Count | None = None


_GIVEN = (
    "workload",
    "priority",
    "preemptible",
    "restart_loss_h",
    "min_run_slots",
    "min_pause_slots",
    "max_pauses",
    "start_cost",
    "tenant",
    "cap_floor_w",
    "deadline",
    *sorted(SINCE_WAYS),
)
_NUMBERS = frozenset(
    {
        *("gpus", "count", "limit_h", "ran_h", "done_h", "work_h", "restart_loss_h", "start_cost", "cap_floor_w"),
        *("min_run_slots", "min_pause_slots", "max_pauses", "gpus_min", "gpus_max", "running_gpus"),
        *("gang_exponent", "resize_loss_h", "checkpoint_gb"),
    }
)
_LISTS = frozenset({"pools", "gang_sizes", "residency"})
_FLAGS = frozenset({"held", "preemptible", "may_rent", "resizable", "surplus"})
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_rows(body: bytes, form: Format, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Rows with where each stands.

    Raises:
        SourceUnavailable: it is no list of jobs at all.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceUnavailable(name, f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    return _csv_rows(text, name) if form == "csv" else _json_rows(text, name)


def _json_rows(text: str, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceUnavailable(name, f"no JSON came ({error}): {text[:60]!r}") from None
    rows = raw.get("jobs") if isinstance(raw, dict) else raw
    if not isinstance(rows, list):
        raise SourceUnavailable(name, 'a list of jobs is expected, or an object with one at "jobs"')
    return [(f"jobs[{k}]", row if isinstance(row, dict) else {"": row}) for k, row in enumerate(rows)]


def _csv_rows(text: str, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        header = [column.strip() for column in reader.fieldnames or []]
        reader.fieldnames = header
        unknown = [column for column in header if column not in ListedJob.model_fields]
        if "id" not in header or "gpus" not in header or unknown:
            told = f"unknown columns {unknown}" if unknown else "the first line names no id or no gpus"
            raise SourceUnavailable(name, f"{told}; known: {', '.join(ListedJob.model_fields)}")
        return [(f"line {reader.line_num}", _cells(row)) for row in reader]
    except csv.Error as error:
        raise SourceUnavailable(name, f"line {reader.line_num} is no CSV: {error}") from None


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, cell in row.items():
        if key == "" or cell is None:
            found[key or "cells"] = cell  # a line longer or shorter than the first; the check names it
        elif (text := cell.strip()) != "":
            found[key] = _typed(key, text)
    return found


def _typed(key: str, text: str) -> Any:
    if key in _FLAGS:
        return _TRUTH.get(text.lower(), text)
    if key in _LISTS:
        return [int(part) if part.isascii() and part.isdigit() else part for part in text.split()]
    if key in _NUMBERS:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def facts_of(row: Mapping[str, Any], form: Format, pool: str | None, first_seen: datetime) -> QueuedJob:
    """Facts of one row.

    Raises:
        InvalidInput: every fault of the row at once.
    """
    told = validated(ListedJob, dict(row), "the job")
    words = read_words(told.comment)
    given = {key: getattr(told, key) for key in _GIVEN if getattr(told, key) is not None}
    limit_h = told.work_h if told.limit_h is None else told.limit_h
    if told.work_h is not None and words.work_h is None:
        words = replace(words, work_h=told.work_h)
    return QueuedJob(
        id=told.id,
        source=form,
        state=told.state,
        gpus=told.gpus,
        submitted_at=told.submitted_at or first_seen,
        eligible_at=told.eligible_at,
        limit_h=limit_h,
        ran_h=told.ran_h if told.state == "running" else 0.0,
        done_h=told.done_h,
        count=told.count,
        partition=told.partition,
        qos=told.qos,
        account=told.account,
        user=told.user,
        name=told.name,
        pool=told.pool or pool,
        held=told.held,
        words=words,
        given=given,
    )


def readable(error: InvalidInput) -> str:
    """Faults on one line."""
    return "; ".join(str(fault) for fault in error.faults)
