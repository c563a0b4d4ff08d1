"""Load targets: what a grid operator asks of the import, as data, and as a row of the day's problem.

A *hard* event is a limit that the plan keeps whatever it costs; beyond a *priced* one each MWh has its price. Times are
put on slot borders outwards, so that no part of an event is left out. MW at the meter, import positive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, ValidationError

from models.checking import AtLeast0, Checked, Moment, Name, Text, Whole, faults_of
from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339

LONGEST = timedelta(days=7)


class GridEvent(Checked):
    """A target for the import in [start, end)."""

    id: Name
    start: Moment
    end: Moment
    most_import_mw: AtLeast0 = Field(description="at the meter, mean of a slot")
    kind: Literal["hard", "priced"] = "hard"
    cost_per_mwh: AtLeast0 | None = Field(None, description="priced: of each MWh beyond, in the site's currency")
    margin_ratio: Annotated[float, Strict(), Field(ge=0, le=0.5, allow_inf_nan=False)] = Field(
        0.0, description="plans aim this share lower: what is drawn moves around what was expected"
    )
    priority: Whole = Field(0, ge=0, le=9, description="0 is kept longest where not all can be kept")
    source: Text = Field("", description="who asks: feed, contract")
    note: Text = ""

    @property
    def aimed_mw(self) -> float:
        """What a plan keeps, so that the meter keeps what was asked for."""
        return self.most_import_mw * (1.0 - self.margin_ratio)

    def faults(self) -> Iterable[Fault]:
        """Ends before it starts, lasts too long, has a price where none belongs or none where one does."""
        if self.end <= self.start:
            yield Fault("end", "ends_before_start", "an event ends after its start")
        elif self.end - self.start > LONGEST:
            yield Fault("end", "too_long", f"an event lasts at most {LONGEST.days} days; hand in several")
        if self.kind == "priced" and self.cost_per_mwh is None:
            yield Fault("cost_per_mwh", "missing", "a priced event says what each MWh beyond it costs")
        if self.kind == "hard" and self.cost_per_mwh is not None:
            yield Fault("cost_per_mwh", "not_priced", 'a hard event has no price; drop it, or write kind "priced"')


@dataclass(frozen=True, slots=True)
class Standing:
    """What a plan makes of an event."""

    id: str
    kept: bool
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in an edition."""
        return {"id": self.id, "kept": self.kept, "reason": self.reason}


def event_of(raw: Any, now: datetime) -> GridEvent:
    """Event of parsed JSON.

    Raises:
        InvalidInput: anything wrong with it, one that is over already included.
    """
    try:
        event = GridEvent.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput("the event", faults_of(error, GridEvent, "pointer")) from None
    if event.end <= now:
        told = f"the event ended at {rfc3339(event.end)}; it is {rfc3339(now)} now"
        raise InvalidInput("the event", [Fault("/end", "over", told)])
    return event


def slots_of(event: GridEvent, horizon: Horizon) -> range:
    """Slots of a horizon that an event touches."""
    first = max(0, (event.start - horizon.start) // horizon.step)
    last = min(horizon.slots, -((horizon.start - event.end) // horizon.step))
    return range(first, max(first, last))


def with_events(document: Mapping[str, Any], events: Sequence[GridEvent], horizon: Horizon) -> dict[str, Any]:
    """A raw problem document with the events that touch its horizon.

    Hard ones are import limits, which every rung of planning knows; priced ones are the contract's own (1.1).
    """
    touched = [(event, slots) for event in events if (slots := slots_of(event, horizon))]
    found = dict(document)
    hard = [(k, event.aimed_mw) for event, slots in touched if event.kind == "hard" for k in slots]
    if hard:
        told = document["grid"]["import_limit_mw"]
        limits = list(told) if isinstance(told, list) else [told] * horizon.slots
        for k, most in hard:
            limits[k] = min(limits[k], most)
        found["grid"] = {**document["grid"], "import_limit_mw": limits}
    priced = [_priced(event, slots, horizon) for event, slots in touched if event.kind == "priced"]
    if priced:
        known = [row for row in document.get("events", []) if row["id"] not in {mine["id"] for mine in priced}]
        found |= {"schema_version": "1.1", "events": [*known, *priced]}
    return found


def _priced(event: GridEvent, slots: range, horizon: Horizon) -> dict[str, Any]:
    span = {"start": rfc3339(horizon.at(slots.start)), "end": rfc3339(horizon.at(slots.stop))}
    return {"id": event.id, **span, "most_import_mw": event.aimed_mw, "cost_per_mwh": event.cost_per_mwh}


def impossible(document: Mapping[str, Any], event: GridEvent, horizon: Horizon) -> str | None:
    """Why no plan whatever can keep a hard event; None where this simple look finds nothing.

    In each slot the import covers at least base load and GPUs at rest, less all sun, wind, battery and generator power
    there is.
    """
    for k in slots_of(event, horizon) if event.kind == "hard" else ():
        floor = _floor_mw(document, k)
        if floor > event.aimed_mw + 1e-9:
            at = rfc3339(horizon.at(k))
            less = " less its margin" if event.margin_ratio else ""
            return (
                f"at {at} base load and GPUs at rest take {floor:.6g} MW beyond sun, wind, battery and generators, "
                f"above the {event.aimed_mw:g} MW asked for{less}"
            )
    return None


def _floor_mw(document: Mapping[str, Any], k: int) -> float:
    series = document["series"]
    given = [_at(series.get(name), k) for name in ("pv_available_mw", "wind_available_mw")]
    given += [_at(one["power_mw"], k) for key in ("batteries", "generators") for one in document.get(key, ())]
    it_mw = sum(_at(pool["gpus"], k) * _least_w(document, pool) for pool in document.get("pools", ())) / 1e6
    efficiency = document.get("distribution_efficiency", 1.0)
    return float(_at(series.get("base_load_mw"), k) + it_mw / efficiency - sum(given))


def _least_w(document: Mapping[str, Any], pool: Mapping[str, Any]) -> float:
    """What a GPU of a pool draws at least, at rest or in the lowest level of any job."""
    ways = [job | way for job in document.get("jobs", ()) for way in ({}, *job.get("alternatives", ()))]
    mine = [way for way in ways if way.get("pool") == pool["name"] and way.get("gpus")]
    lowest = [level["power_mw"] * 1e6 / way["gpus"] for way in mine for level in way.get("levels", ())]
    return float(min([pool.get("idle_w_per_gpu") or 0.0, *lowest]))


def _at(values: Any, k: int) -> float:
    return float(values[k] if isinstance(values, list) else values or 0.0)


def least_wanted(events: Sequence[GridEvent]) -> GridEvent | None:
    """The hard event that gives way first: the highest number, of equals the one that ends last."""
    hard = [event for event in events if event.kind == "hard"]
    return max(hard, key=lambda event: (event.priority, event.end, event.id), default=None)
