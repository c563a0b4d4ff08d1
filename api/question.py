"""What may be asked of a published plan, in one spelling, so that the same question is answered once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from models.errors import Fault, InvalidInput
from models.horizon import Horizon, parse_rfc3339, rfc3339


@dataclass(frozen=True, slots=True)
class Question:
    """A whole plan (nothing said), a ``job``, a ``slot`` or both; a job's other ``start``; or the change to ``other``.

    ``slot`` and ``start`` are RFC 3339 as :func:`models.horizon.rfc3339` writes it, ``other`` is a plan's id;
    ``causes`` false: without what stands behind the change.
    """

    job: str | None = None
    slot: str | None = None
    start: str | None = None
    other: str | None = None
    causes: bool | None = None

    @property
    def key(self) -> str:
        """Canonical JSON of what is said."""
        return json.dumps({name: said for name, said in asdict(self).items() if said is not None}, sort_keys=True)


def horizon_of(problem: Mapping[str, Any]) -> Horizon:
    """Horizon of a problem document that has been checked."""
    given = problem["horizon"]
    step = timedelta(minutes=given.get("step_minutes", 15))
    return Horizon(parse_rfc3339(given["start"]), step, given["slots"])


def moment(text: str, pointer: str) -> datetime:
    """Instant of a question.

    Raises:
        InvalidInput: not RFC 3339 with an offset.
    """
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise InvalidInput("the question", [Fault(pointer, "time", str(error))]) from None


def slot_of(horizon: Horizon, text: str) -> int:
    """Slot that contains an instant.

    Raises:
        InvalidInput: no instant, or one outside the horizon.
    """
    slot = horizon.slot(moment(text, "/slot"))
    if not 0 <= slot < horizon.slots:
        told = f"{text} lies outside the plan's horizon [{rfc3339(horizon.start)}, {rfc3339(horizon.end)})"
        raise InvalidInput("the question", [Fault("/slot", "outside", told)])
    return slot


def about(problem: Mapping[str, Any], job: str | None = None, slot: str | None = None) -> Question:
    """Question about a plan, a job or a slot; any instant of a slot means its first.

    Raises:
        InvalidInput: as :func:`slot_of`.
    """
    horizon = horizon_of(problem)
    return Question(job=job, slot=None if slot is None else rfc3339(horizon.at(slot_of(horizon, slot))))
