"""What the learned correction looks at: named columns, one row a slot, made of weather and geometry alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.errors import Fault, InvalidInput
from models.series import Values

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """``values`` (float32, shape ``(n, len(names))``) and ``awake`` (shape ``(n,)``): where there is anything to give.

    Raises:
        InvalidInput: shapes that do not fit, doubled names.
    """

    names: tuple[str, ...]
    values: Matrix
    awake: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.awake), len(self.names)) or len(set(self.names)) != len(self.names):
            message = f"{self.values.shape} values for {len(self.awake)} rows and {len(self.names)} names"
            raise InvalidInput("the features", [Fault("values", "shape", message)])

    def __len__(self) -> int:
        return len(self.awake)

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """Rows in which no value is missing; a missing hour of weather is missing in its neighbours' rows too."""
        return np.asarray(np.isfinite(self.values).all(axis=1), dtype=np.bool_)


def gathered(columns: Mapping[str, Values], awake: npt.NDArray[np.bool_]) -> Features:
    """Features of named columns, shape ``(n,)`` each."""
    return Features(tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.float32), awake)


def of_the_clock(middles: pd.DatetimeIndex) -> dict[str, Values]:
    """Hour of day (UTC) and day of year, as angles: summer time and Ramadan move neither."""
    hour = 2 * np.pi * (middles.hour + middles.minute / 60.0).to_numpy() / 24.0
    day = 2 * np.pi * middles.day_of_year.to_numpy() / 365.25
    return {"hour_sin": np.sin(hour), "hour_cos": np.cos(hour), "day_sin": np.sin(day), "day_cos": np.cos(day)}
