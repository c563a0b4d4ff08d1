"""The form in which an operator asks for a load target: text fields in, an event's raw document out, and back.

Times are the site's own, as a browser's field gives them; an instant that a clock shows twice, or never, is refused and
not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from models.errors import Fault, InvalidInput
from models.horizon import rfc3339

FIELDS = ("id", "start", "end", "most_import_mw", "margin_ratio", "kind", "cost_per_mwh", "priority", "note")
_NUMBERS = {"most_import_mw": float, "margin_ratio": float, "cost_per_mwh": float, "priority": int}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form held: ``fields`` as they were typed, the key (never shown again) and the leave to take an unknown."""

    fields: dict[str, str] = field(default_factory=dict)
    key: str = ""
    unknown: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing was asked."""
        return not any(self.fields.values())


def asked_of(body: bytes) -> Asked:
    """Of a submitted form or a query; a field that stands twice counts as it stands last.

    Raises:
        InvalidInput: it is no form.
    """
    try:
        pairs = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50))
    except ValueError as error:
        raise InvalidInput("the form", [Fault("", "no_form", f"{error}; send the page's own fields")]) from None
    fields = {name: pairs.get(name, "").strip() for name in FIELDS}
    return Asked(fields, pairs.get("key", "").strip(), pairs.get("unknown") == "yes")


def document_of(fields: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """Raw document of an event; empty fields are left out, numbers that are none stay as they were typed.

    Raises:
        InvalidInput: a time that is none, or that the site's clocks show twice or never.
    """
    found: dict[str, Any] = {"source": "operator page"}
    faults: list[Fault] = []
    for name in FIELDS:
        text = fields.get(name, "")
        if not text:
            continue
        if name in ("start", "end"):
            try:
                found[name] = rfc3339(_instant(text, zone))
            except ValueError as error:
                faults.append(Fault(f"/{name}", "not_time", str(error)))
            except OverflowError:
                faults.append(Fault(f"/{name}", "not_time", f"{text} lies outside the years 1 to 9999 in UTC"))
        elif name in _NUMBERS:
            found[name] = _number(text, _NUMBERS[name])
        else:
            found[name] = text
    if faults:
        raise InvalidInput("the event", faults)
    return found


def _number(text: str, kind: type[float] | type[int]) -> float | int | str:
    try:
        return kind(text)
    except ValueError:
        return text


def _instant(text: str, zone: ZoneInfo) -> datetime:
    """Instant of a local time, or of one with its offset.

    Raises:
        ValueError: it is neither, or the local time does not name one instant.
    """
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write it as 2026-11-28T18:00") from None
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        there = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
        what = "twice" if there else "never"
        raise ValueError(f"the clocks of {zone.key} show {text} {what}; write an offset, such as {text}+00:00")
    return first
