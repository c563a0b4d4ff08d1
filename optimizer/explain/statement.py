"""The closed list of reasons, and statements: a key of the catalogues with the numbers that fill its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Fact = float | int | str | list[str]
"""The last part of a fact's name is its unit or kind: ``_h``, ``_mw``, ``_mwh``, ``_kg``, ``_w``, ``_c`` (degC),
``_gpus``, ``_n``, ``_money`` and ``_price`` (currency, per MWh), ``_ratio``, ``_at`` (RFC 3339), ``_term``, ``_cause``,
``_limit`` (words of the catalogue), ``_names``; anything else is a name and stands for itself."""


class Reason(StrEnum):
    """Why a job is where it is, or draws what it draws; there is no other."""

    SOLAR_SURPLUS = "SOLAR_SURPLUS"
    LOW_PRICE = "LOW_PRICE"
    LOW_CO2 = "LOW_CO2"
    IMPORT_LIMIT = "IMPORT_LIMIT"
    FEEDER_LIMIT = "FEEDER_LIMIT"
    COOLING_LIMIT = "COOLING_LIMIT"
    TEMP_MARGIN = "TEMP_MARGIN"
    DR_EVENT = "DR_EVENT"
    PEAK_CHARGE = "PEAK_CHARGE"
    SOC_RESERVE = "SOC_RESERVE"
    DEADLINE = "DEADLINE"
    PRIORITY = "PRIORITY"
    GANG_FIT = "GANG_FIT"
    PRECEDENCE = "PRECEDENCE"
    MIN_UPTIME = "MIN_UPTIME"
    OPERATOR_OVERRIDE = "OPERATOR_OVERRIDE"
    DATA_QUALITY_HOLD = "DATA_QUALITY_HOLD"
    FAILSAFE_DEFAULT = "FAILSAFE_DEFAULT"
    PLAN_STABILITY = "PLAN_STABILITY"


@dataclass(frozen=True)
class Statement:
    """One thing that is so. ``key`` and ``facts`` make its sentence; ``money`` is what it weighs, where known."""

    key: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    reason: Reason | None = None
    money: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told: dict[str, Any] = {"key": self.key, "facts": dict(self.facts)}
        if self.reason is not None:
            told["reason"] = self.reason.value
        if self.money is not None:
            told["money"] = self.money
        return told


def ranked(statements: list[Statement]) -> list[Statement]:
    """The weightiest first; what has no weight keeps its order, ahead of the rest, because it is hard."""
    return sorted(statements, key=lambda s: -abs(s.money) if s.money is not None else -float("inf"))
