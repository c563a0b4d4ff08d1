"""Sentences of statements (:mod:`optimizer.explain`) in one language: a catalogue filled with stored numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from api.pages.words import Words, isolated
from models.horizon import parse_rfc3339

_DIGITS = {"h": 2, "mw": 3, "mwh": 3, "kg": 1, "w": 0, "c": 1}
_UNITS = {"h": "h", "mw": "MW", "mwh": "MWh", "kg": "kg", "w": "W", "c": "°C", "gpus": "GPU"}
_SMALL_MONEY = 100.0


class Told:
    """Renders statements for one reader: language, the site's zone, the document's currency."""

    def __init__(self, tongue: Words, zone: ZoneInfo, currency: str) -> None:
        self._tongue = tongue
        self._zone = zone
        self._currency = currency

    def sentence(self, statement: Mapping[str, Any]) -> str:
        """The sentence of a statement as plain values (:meth:`optimizer.explain.statement.Statement.to_json`).

        Raises:
            KeyError: the catalogue lacks the statement's key, or a place of it that the facts do not fill.
        """
        places = {name: self._fact(name, value) for name, value in statement["facts"].items()}
        return self._tongue.t(f"why.{statement['key']}", **places)

    def reason(self, code: str) -> str:
        """What a reason's code means."""
        return self._tongue.t(f"reason.{code}")

    def heading(self, section: str) -> str:
        """Heading of a section."""
        return self._tongue.t(f"why.heading.{section}")

    def _fact(self, name: str, value: Any) -> str:
        signed, kind = name.startswith("signed_"), name.rsplit("_", 1)[-1]
        if isinstance(value, list):
            return isolated(", ".join(map(str, value)))
        if kind == "at":
            return self._tongue.when(parse_rfc3339(value), self._zone)
        if kind == "term":
            return self._tongue.named("term", value)
        if isinstance(value, str):
            return isolated(value)
        if kind == "ratio":
            return self._tongue.percent(value)
        if kind == "n":
            return self._tongue.number(value, 0)
        sign = "+" if signed and round(value, 6) > 0 else ""
        return sign + self._quantity(kind, value)

    def _quantity(self, kind: str, value: float) -> str:
        if kind == "money":
            return self._tongue.quantity(value, self._currency, 2 if abs(value) < _SMALL_MONEY else 0)
        if kind == "price":
            return self._tongue.quantity(value, f"{self._currency}/MWh", 2)
        if kind in _UNITS:
            return self._tongue.quantity(value, _UNITS[kind], _DIGITS.get(kind, 0))
        return self._tongue.number(value, 3)


def with_sentences(explanation: Mapping[str, Any], tongue: Words) -> dict[str, list[dict[str, Any]]]:
    """The sections of an explanation, each statement with its sentence and what its reason means."""
    told = Told(tongue, ZoneInfo(explanation["timezone"]), explanation["currency"])
    return {
        name: [_with_sentence(statement, told) for statement in statements]
        for name, statements in explanation["sections"].items()
    }


def _with_sentence(statement: Mapping[str, Any], told: Told) -> dict[str, Any]:
    said = {"reason": None, **statement, "sentence": told.sentence(statement)}
    if said["reason"] is not None:
        said["reason_text"] = told.reason(said["reason"])
    return said
