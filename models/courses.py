"""Courses: what sun, wind and load may do together over a horizon, each as likely as the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.errors import Fault, InvalidInput
from models.series import Values


def _nothing() -> Values:
    return np.zeros((0, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Courses:
    """``pv_mw`` and ``wind_mw`` available, shape ``(n, slots)``; ``more_load_mw``: load above what a plan counts on.

    ``origin`` says in words where they are from.

    Raises:
        InvalidInput: no course, shapes that do not fit, values missing or below 0.
    """

    pv_mw: Values
    wind_mw: Values
    more_load_mw: Values = field(default_factory=_nothing)
    origin: str = ""

    def __post_init__(self) -> None:
        load = self.more_load_mw if self.more_load_mw.size else np.zeros_like(self.pv_mw)
        object.__setattr__(self, "more_load_mw", load)
        faults = []
        for name in ("pv_mw", "wind_mw", "more_load_mw"):
            values = getattr(self, name)
            if values.ndim != 2 or values.shape != self.pv_mw.shape or not values.size:
                message = f"shape {values.shape} beside {self.pv_mw.shape}; give each (courses, slots)"
                faults.append(Fault(name, "shape", message))
            elif not np.isfinite(values).all():
                faults.append(Fault(name, "missing", "a value is missing or infinite"))
            elif name != "more_load_mw" and (values < 0).any():
                faults.append(Fault(name, "negative", "power below 0"))
        if faults:
            raise InvalidInput("the courses", faults)

    def __len__(self) -> int:
        return len(self.pv_mw)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "pv_mw": self.pv_mw.tolist(),
            "wind_mw": self.wind_mw.tolist(),
            "more_load_mw": self.more_load_mw.tolist(),
            "origin": self.origin,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Courses:
        """From plain data.

        Raises:
            InvalidInput: as the class.
        """
        pv, wind, more = (np.array(told[name], dtype=np.float64) for name in ("pv_mw", "wind_mw", "more_load_mw"))
        return cls(pv, wind, more, str(told["origin"]))
