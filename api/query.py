"""Words of a query that several routes read."""

from __future__ import annotations

from datetime import datetime

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339


def moment(name: str, text: str) -> datetime:
    """The instant that a parameter says.

    Raises:
        InvalidInput: it says none.
    """
    try:
        return parse_rfc3339(text.replace(" ", "+"))  # a + that was not encoded arrives as a space
    except ValueError as error:
        raise InvalidInput("the query", [Fault(f"/query/{name}", "no_instant", str(error))]) from None


def pair(text: str) -> tuple[str, str]:
    """Key and value of ``key=value``.

    Raises:
        InvalidInput: it is none.
    """
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise InvalidInput("the query", [Fault("/query/tag", "no_tag", f"{text!r} is no tag; write key=value")])
    return key, value
