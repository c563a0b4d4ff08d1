"""Features of a wind farm: speed and direction at each height, shear, veer, what comes before and after, neighbours.

Trees find the power curve in the speed themselves; where the farm's own curve is known, its output comes along as
``physics``, so that little history goes further.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.features import Features, gathered, of_the_clock
from models.forecast.rows import Rows
from models.series import Values


def wind_features(rows: Rows, beside: Iterable[Rows] = ()) -> Features:
    """Features of ``rows``: ``wind_speed_m_s``, or ``east_H_m_s`` and ``north_H_m_s`` at heights ``H`` in metres.

    ``beside`` are the rows of other farms on the same slots. Awake everywhere: a farm never sleeps.

    Raises:
        InvalidInput: neither a speed nor components.
    """
    heights = sorted(int(name.split("_")[1]) for name in rows.columns if name.startswith("east_"))
    if not heights and "wind_speed_m_s" not in rows.columns:
        message = "wind features need wind_speed_m_s, or east_H_m_s and north_H_m_s of some height H"
        raise InvalidInput("the wind features", [Fault("wind_speed_m_s", "missing", message)])
    found: dict[str, Values] = dict(rows.columns)
    for height in heights:
        found[f"speed_{height}"] = speed_m_s(rows, height)
    if heights:
        found |= _direction(rows, heights)
    main = found[f"speed_{heights[-1]}"] if heights else rows["wind_speed_m_s"]
    found["cube"] = main**3
    per_hour = rows.per_hour
    moved = {"main": main} | {name: rows[name] for name in rows.columns if name.startswith(("east_", "north_"))}
    if "physics" in rows.columns:
        moved["physics"] = rows["physics"]
    for name, values in moved.items():
        found |= {f"{name}{k:+d}h": rows.shifted(values, k * per_hour) for k in (-2, -1, 1, 2)}
    found |= {f"main{k:+d}h": rows.shifted(main, k * per_hour) for k in (-3, 3)}
    near = rows.around(main, 3, per_hour)
    found |= {"mean_7h": near.mean(axis=0), "spread_7h": near.std(axis=0)}
    found["mean_13h"] = rows.around(main, 6, per_hour).mean(axis=0)
    found["day"] = rows.day_mean(main)
    for k, other in enumerate(beside):
        high = max(int(name.split("_")[1]) for name in other.columns if name.startswith("east_"))
        found |= {
            f"beside{k}_speed": speed_m_s(other, high),
            f"beside{k}_east": other[f"east_{high}_m_s"],
            f"beside{k}_north": other[f"north_{high}_m_s"],
        }
    found |= of_the_clock(rows.middles())
    return gathered(found, np.ones(len(rows), dtype=np.bool_))


def speed_m_s(rows: Rows, height: int) -> Values:
    """Speed from the components at ``height`` metres."""
    speed: Values = np.hypot(rows[f"east_{height}_m_s"], rows[f"north_{height}_m_s"])
    return speed


def _direction(rows: Rows, heights: list[int]) -> dict[str, Values]:
    low, high = heights[0], heights[-1]
    angle = {h: np.arctan2(rows[f"north_{h}_m_s"], rows[f"east_{h}_m_s"]) for h in (low, high)}
    found = {"direction_sin": np.sin(angle[high]), "direction_cos": np.cos(angle[high])}
    if low != high:
        turned = angle[high] - angle[low]
        found["veer"] = np.arctan2(np.sin(turned), np.cos(turned))
        found["shear"] = np.log((speed_m_s(rows, high) + 0.1) / (speed_m_s(rows, low) + 0.1))
    return found
