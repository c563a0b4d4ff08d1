"""What weighing several plans' starts over courses of sun, wind and load came to, as numbers to keep and tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Weighed:
    """Starts with what they cost: by their plan, on average over the courses, and how often power is short."""

    name: str
    cost: float
    expected_cost: float
    short_probability: float


@dataclass(frozen=True)
class Hedge:
    """What the chosen starts cost over the courses: mean, spread (standard deviation), ends, mean of the worst tenth.

    ``short_probability``: share of courses with power left short, ``short_mwh`` their mean over all. ``weighed``: all
    starts, the plan's own first; ``chosen`` names one. ``value``: what was least (the mean, with the weight of the
    worst tenth).
    """

    courses: int
    origin: str
    chosen: str
    value: float
    expected_cost: float
    spread: float
    least_cost: float
    most_cost: float
    worst_cost: float
    short_probability: float
    short_mwh: float
    weighed: tuple[Weighed, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Hedge:
        """From plain data.

        Raises:
            TypeError: fields missing or unknown.
        """
        return cls(**{**told, "weighed": tuple(Weighed(**one) for one in told["weighed"])})
