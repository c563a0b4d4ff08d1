"""A what-if as it comes in: which job, and where its start is wished."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.checking import faults_of
from models.errors import InvalidInput


class Wish(BaseModel):
    """A wish for another start."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    job: str = Field(description="the job that is meant")
    start: str = Field(description="its wished start, RFC 3339, on a slot border of the plan")


def wish_of(raw: Any) -> Wish:
    """Wish of parsed JSON.

    Raises:
        InvalidInput: anything wrong with it.
    """
    try:
        return Wish.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput("the wish", faults_of(error, Wish, "pointer")) from None
