"""One job of ``squeue --json`` or slurmrestd, in the shapes of 22.05 (plain numbers) to 26.05 (numbers in objects).

What differs: numbers are plain, or ``{"set", "infinite", "number"}``; ``job_state`` is a text or a list of flags;
``gres:gpu:h100:4`` became ``gres/gpu:h100:4``; ``hold`` and ``extra`` came new. There is no ``begin_time``:
``eligible_time`` is what ``--begin`` or ``StartTime`` set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ingest.sources.slurm.hosts import gpu_count, gpu_indices, node_names, task_count
from ingest.sources.slurm.note import Note, may_write, read_note
from models.errors import InvalidInput
from models.queued_job import QueuedJob, QueueState, Words, read_words

_RUNS = frozenset({"RUNNING", "CONFIGURING", "STAGE_OUT", "SIGNALING"})
_OVER = frozenset(
    {
        "COMPLETED",
        "COMPLETING",
        "CANCELLED",
        "FAILED",
        "TIMEOUT",
        "NODE_FAIL",
        "PREEMPTED",
        "BOOT_FAIL",
        "DEADLINE",
        "OUT_OF_MEMORY",
        "REVOKED",
        "SPECIAL_EXIT",
    }
)
_SAME_S = 2


class NotUnderstood(ValueError):
    """A job whose fields are not as any known version writes them."""


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job that waits or runs. Instants are UTC; ``eligible`` None: Slurm does not know yet."""

    number: int
    state: QueueState
    name: str
    user: str
    account: str
    qos: str
    partition: str
    gpus: int
    node_count: int
    nodes: tuple[str, ...]
    gpus_on: tuple[tuple[str, tuple[int, ...]], ...]
    submitted: datetime
    eligible: datetime | None
    started: datetime | None
    ran_s: int
    limit_min: int | None
    deadline: datetime | None
    comment: str
    extra: str
    admin_comment: str
    licences: Mapping[str, int]
    held: bool
    requeue: bool
    restarts: int
    batch: bool
    depends: bool
    hetero: bool
    tasks: int

    @property
    def note(self) -> Note:
        """What we wrote into it."""
        return read_note(self.admin_comment)

    @property
    def by_hand(self) -> bool:
        """Whether somebody changed the start that we had set; then it is theirs."""
        note = self.note
        if note.start is None or self.state != "queued" or self.eligible is None or note.restarts != self.restarts:
            return False
        return abs(self.eligible.timestamp() - note.start) > _SAME_S

    def facts(self, pool: str | None) -> QueuedJob:
        """As the policy reads it."""
        words, bars = Words(), self._bars()
        try:
            words = read_words(self.comment, self.extra)
        except InvalidInput as error:
            bars = "; ".join(str(fault) for fault in error.faults)
        note = self.note
        begin = self.eligible
        if note.begin is not None:
            begin = datetime.fromtimestamp(note.begin, UTC)
        return QueuedJob(
            id=job_id(self.number),
            source="slurm",
            state=self.state,
            gpus=self.gpus,
            submitted_at=self.submitted,
            eligible_at=begin,
            deadline=self.deadline,
            limit_h=None if self.limit_min is None else (note.limit or self.limit_min) / 60,
            ran_h=self.ran_s / 3600,
            done_h=(note.done or 0) / 60,
            count=self.tasks,
            partition=self.partition,
            qos=self.qos,
            account=self.account,
            user=self.user,
            name=self.name,
            pool=pool,
            nodes=self.nodes,
            held=self.held and self.state == "queued",
            requeue=self.requeue,
            words=words,
            bars=bars,
        )

    def _bars(self) -> str | None:
        reasons = (
            (self.gpus == 0, "it asks for no GPU"),
            (self.depends, "it waits for another job"),
            (self.hetero, "it is part of a heterogeneous job"),
            (not self.batch and self.state == "queued", "it is interactive: somebody waits for it"),
            (self.by_hand, "its start was changed by hand"),
            (not may_write(self.admin_comment), "its AdminComment is not ours to write"),
        )
        return next((why for holds, why in reasons if holds), None)


def job_id(number: int) -> str:
    """Our id of a job of Slurm."""
    return f"slurm-{number}"


def slurm_job(raw: Mapping[str, Any], now: datetime) -> SlurmJob | None:
    """A job of the list; None where it is over.

    Raises:
        NotUnderstood: a field is missing or is none of the known shapes.
    """
    try:
        state = _state(raw["job_state"])
        return None if state is None else _read(raw, state, now)
    except (KeyError, TypeError, ValueError) as error:
        told = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise NotUnderstood(f"job {raw.get('job_id', '?')}: {told}") from None


def _read(raw: Mapping[str, Any], state: QueueState, now: datetime) -> SlurmJob:
    nodes = node_names(raw["nodes"]) if state != "queued" else ()
    details = raw.get("gres_detail") or []
    gpus_on = tuple((node, gpu_indices(told)) for node, told in zip(nodes, details, strict=False))
    waits = state == "queued"
    return SlurmJob(
        number=int(raw["job_id"]),
        state=state,
        name=raw["name"],
        user=raw["user_name"],
        account=raw["account"],
        qos=raw["qos"],
        partition=raw["partition"],
        gpus=_gpus(raw, 0 if waits else sum(gpu_count(told) for told in details)),
        node_count=_number(raw["node_count"]) or 1,
        nodes=nodes,
        gpus_on=gpus_on,
        submitted=_moment(raw["submit_time"]) or now,
        eligible=_moment(raw["eligible_time"]),
        started=None if waits else _moment(raw["start_time"]),
        ran_s=0 if waits else _ran_s(raw, state, now),
        limit_min=_number(raw["time_limit"]),
        deadline=_moment(raw["deadline"]),
        comment=raw["comment"] or "",
        extra=raw.get("extra") or "",
        admin_comment=raw["admin_comment"] or "",
        licences=_licences(raw["licenses"] or ""),
        held=bool(raw["hold"]) if "hold" in raw else _number(raw["priority"]) in (0, None) and waits,
        requeue=bool(raw["requeue"]),
        restarts=_number(raw["restart_cnt"]) or 0,
        batch=bool(raw["batch_flag"]),
        depends="unfulfilled" in (raw["dependency"] or ""),
        hetero=bool(_number(raw["het_job_id"])),
        tasks=task_count(raw["array_task_string"] or "") if waits else 1,
    )


def _state(raw: Any) -> QueueState | None:
    flags = {raw} if isinstance(raw, str) else set(raw)
    if flags & _OVER:
        return None
    if "SUSPENDED" in flags or "STOPPED" in flags:
        return "paused"
    if flags & _RUNS:
        return "running"
    if "PENDING" in flags or flags & {"REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"}:
        return "queued"
    raise NotUnderstood(f"state {raw!r} is not known")


def _number(raw: Any) -> int | None:
    """A number in either shape; None where it is not set or infinite."""
    if isinstance(raw, Mapping):
        return int(raw["number"]) if raw["set"] and not raw["infinite"] else None
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError(f"{raw!r} is no number")
    return raw


def _moment(raw: Any) -> datetime | None:
    """An instant; 0 is none."""
    seconds = _number(raw)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _gpus(raw: Mapping[str, Any], allocated: int) -> int:
    """GPUs of the whole job: those it has, else those it asks for."""
    if allocated:
        return allocated
    for key in ("tres_alloc_str", "tres_req_str"):
        found = gpu_count(raw[key] or "")
        if found:
            return found
    per_job = gpu_count(raw["tres_per_job"] or "")
    if per_job:
        return per_job
    nodes = max(1, _number(raw["node_count"]) or 1)
    per_node = gpu_count(raw["tres_per_node"] or "")
    if per_node:
        return per_node * nodes
    per_task = gpu_count(raw["tres_per_task"] or "")
    if per_task:
        return per_task * max(1, _number(raw["tasks"]) or 1)
    return gpu_count(raw["tres_per_socket"] or "") * nodes * max(1, _number(raw.get("sockets_per_node")) or 1)


def _ran_s(raw: Mapping[str, Any], state: QueueState, now: datetime) -> int:
    """Seconds of work in this session, standing still not counted."""
    before = _number(raw["pre_sus_time"]) or 0
    if state == "paused":
        return before
    since = _moment(raw["suspend_time"]) or _moment(raw["start_time"])
    return before + (0 if since is None else max(0, int((now - since).total_seconds())))


def _licences(text: str) -> dict[str, int]:
    """``kw:5,matlab@server:1`` by name."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.partition(":")
        if name:
            found[name] = int(count) if count.isascii() and count.isdigit() else 1
    return found
