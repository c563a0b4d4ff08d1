"""Field types and one way to refuse input, shared by site files and jobs: every fault at once, with its place.

A class that has rules beyond its fields lists *all* that are broken in :meth:`Checked.faults`; pydantic
collects them next to plain type errors. Light on purpose: the web process imports this module.
"""

from __future__ import annotations

import difflib
import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339, rfc3339
from models.strict_json import pointer

_M = TypeVar("_M", bound=BaseModel)
Step = str | int


def whole(value: Any) -> Any:
    """4.0 as 4: JSON and TOML writers do not always tell them apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str):
        raise ValueError("times are RFC 3339 texts with an offset, such as 2026-06-01T00:00:00Z, never numbers")
    return parse_rfc3339(value)


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(zoneinfo.available_timezones()), 1, 0.6)
        mend = f"did you mean {near[0]}?" if near else "write one such as Africa/El_Aaiun"
        raise ValueError(f"is no IANA time zone; {mend}") from None
    return name


Name = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
Text = Annotated[str, Strict()]
Flag = StrictBool
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
AtLeast0 = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Above0 = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(gt=0, le=1, allow_inf_nan=False)]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]
Celsius = Annotated[float, Strict(), Field(ge=-60, le=80, allow_inf_nan=False)]
Whole = Annotated[int, Strict(), BeforeValidator(whole)]
Count = Annotated[int, Strict(), Field(ge=1), BeforeValidator(whole)]
Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(rfc3339, return_type=str, when_used="json")]
Zone = Annotated[str, Strict(), AfterValidator(_zone)]
Evidence = Literal["measured", "prior", "assumed"]


class Checked(BaseModel):
    """A frozen part of a site or a job: unknown keys refused, rules beyond the fields all listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def faults(self) -> Iterable[Fault]:
        """Broken rules that no single field shows; ``pointer`` is a dotted path inside this part."""
        return ()

    @model_validator(mode="after")
    def _rules(self) -> Any:
        found = tuple(self.faults())
        if found:
            raise PydanticCustomError("rules", "{sentence}", {"sentence": str(found[0]), "faults": found})
        return self


_SENTENCES = {
    "missing": "this key is required; add it",
    "model_type": "a table is expected here; write its keys under it",
    "model_attributes_type": "a table is expected here; write its keys under it",
    "tuple_type": "a list is expected here",
    "too_short": "at least one is needed; add it",
}


def faults_of(error: ValidationError, model: type[BaseModel], style: Literal["dotted", "pointer"]) -> list[Fault]:
    """Pydantic's complaints as faults; ``style`` says how the place is written.

    Unknown keys are answered with the nearest known one where there is one.
    """
    found: dict[tuple[str, str], Fault] = {}
    items = error.errors(include_url=False)
    for item in items:
        loc: tuple[Step, ...] = item["loc"]
        kind = item["type"]
        if kind == "too_short" and any(other["loc"][: len(loc)] == loc != other["loc"] for other in items):
            continue  # only short because its items were refused, which is said already
        if kind == "rules":
            for fault in item["ctx"]["faults"]:
                place = place_of((*loc, *steps_of(fault.pointer)), style)
                found.setdefault((place, fault.message), Fault(place, fault.code, fault.message))
            continue
        message = _SENTENCES.get(kind) or str(item["msg"]).removeprefix("Value error, ")
        if kind == "extra_forbidden":
            message = _unknown_key(model, loc)
        elif kind != "missing":
            message = f"{_shown(item['input'])}: {message[:1].lower()}{message[1:]}"
        place = place_of(loc, style)
        found.setdefault((place, message), Fault(place, kind, message))
    return sorted(found.values(), key=lambda fault: fault.pointer)


def validated(model: type[_M], raw: Any, what: str, style: Literal["dotted", "pointer"] = "dotted") -> _M:
    """``raw`` as ``model``.

    Raises:
        InvalidInput: with a fault for everything that is wrong, placed by dotted path or JSON pointer.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput(what, faults_of(error, model, style)) from None


def place_of(loc: Iterable[Step], style: Literal["dotted", "pointer"]) -> str:
    """``pools[1].default.limit_w`` or ``/pools/1/default/limit_w``."""
    if style == "pointer":
        return pointer(*loc)
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def steps_of(dotted: str) -> list[Step]:
    """Steps of a dotted path: ``pools[1].default`` as ``pools``, ``1``, ``default``."""
    steps = dotted.replace("[", ".").replace("]", "").split(".")
    return [int(step) if step.isdigit() else step for step in steps if step]


def _unknown_key(model: type[BaseModel], loc: tuple[Step, ...]) -> str:
    here: Any = model
    for step in loc[:-1]:
        if isinstance(step, int):
            continue
        field = here.model_fields.get(step) if isinstance(here, type) and issubclass(here, BaseModel) else None
        here = _model_in(field.annotation) if field is not None else None
    known = [f.alias or n for n, f in here.model_fields.items()] if here is not None else []
    near = difflib.get_close_matches(str(loc[-1]), known, 1, 0.6)
    mend = f"did you mean {near[0]}?" if near else f"remove it; known here: {', '.join(known)}"
    return f"this key is unknown; {mend}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        inner = _model_in(part)
        if inner is not None:
            return inner
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
