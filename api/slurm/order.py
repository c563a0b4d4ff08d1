"""One thing to tell Slurm, and how it is said: every form here was run on real clusters of 22.05 and 26.05."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["start", "note", "limit", "signal", "requeue", "suspend", "resume", "reserve", "resize", "unreserve"]
FIRST: tuple[Kind, ...] = ("resume", "unreserve", "resize", "reserve", "start", "limit", "note", "signal", "suspend")
"""In this order where not all can be told at once: what lets jobs run comes before what makes them wait."""


@dataclass(frozen=True, slots=True)
class Order:
    """``at`` and ``until`` are instants, ``amount`` licences, ``minutes`` a time limit; ``why`` is for the log."""

    kind: Kind
    why: str
    job: int | None = None
    comment: str | None = None
    at: datetime | None = None
    until: datetime | None = None
    minutes: int | None = None
    signal: str | None = None
    reaches: Literal["batch", "steps", "all"] = "batch"
    name: str | None = None
    licence: str | None = None
    amount: int | None = None

    @property
    def what(self) -> str:
        """Job number or reservation."""
        return str(self.job) if self.name is None else self.name


def commands(order: Order, now: datetime) -> list[tuple[str, ...]]:
    """Programs with their arguments, in UTC. An instant that has come is written ``now``."""
    job = f"JobId={order.job}"
    note = () if order.comment is None else (f"AdminComment={order.comment}",)
    start = () if order.at is None else (f"StartTime={_instant(order.at, now)}",)
    match order.kind:
        case "start" | "note":
            return [("scontrol", "update", job, *start, *note)]
        case "limit":
            return [("scontrol", "update", job, f"TimeLimit={order.minutes}", *note)]
        case "signal":
            whom = {"batch": ("--batch",), "steps": (), "all": ("--full",)}[order.reaches]
            return [
                ("scontrol", "update", job, *note),
                ("scancel", *whom, f"--signal={order.signal}", str(order.job)),
            ]
        case "requeue":
            return [("scontrol", "requeue", str(order.job)), ("scontrol", "update", job, *start, *note)]
        case "suspend":  # first the note: whoever resumes it without us reads there by when
            return [("scontrol", "update", job, *note), ("scontrol", "suspend", str(order.job))]
        case "resume":
            return [("scontrol", "resume", str(order.job)), ("scontrol", "update", job, *note)]
        case "reserve":
            assert order.at is not None
            assert order.until is not None
            # To the second: two windows that overlap, if only by a moment, may reserve more than there is.
            span = (f"StartTime={_instant(order.at, now)}", f"EndTime={_instant(order.until, now)}")
            what = (f"Licenses={order.licence}:{order.amount}", "Flags=LICENSE_ONLY", "Users=root")
            return [("scontrol", "create", "reservation", f"ReservationName={order.name}", *span, *what)]
        case "resize":
            assert order.until is not None
            end = f"EndTime={_instant(order.until, now)}"
            licences = f"Licenses={order.licence}:{order.amount}"
            return [("scontrol", "update", f"ReservationName={order.name}", licences, end)]
        case "unreserve":
            return [("scontrol", "delete", f"ReservationName={order.name}")]


def _instant(at: datetime, now: datetime) -> str:
    return "now" if at <= now else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
