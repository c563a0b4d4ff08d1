"""Maintenance: what is left of an asset in a slot, and how a sentence tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon, rfc3339
from optimizer import document

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """``share`` of what ``asset`` could do is left in slots ``[first, last)``."""

    asset: str
    first: int
    last: int
    share: float
    reason: str


def left(listed: Sequence[document.Maintenance], horizon: Horizon) -> Floats:
    """Share of an asset that is left in each slot; where windows overlap, the least."""
    share = np.ones(horizon.slots)
    for m in listed:
        first, last = _inside(m, horizon)
        share[first:last] = np.minimum(share[first:last], m.left_share)
    return share


def windows(doc: document.Problem, horizon: Horizon) -> tuple[Window, ...]:
    """Every window of a document that touches the horizon, its asset as a sentence names it."""
    return tuple(
        Window(asset, *_inside(m, horizon), m.left_share, m.reason)
        for asset, listed in _assets(doc)
        for m in listed
        if _inside(m, horizon)[0] < _inside(m, horizon)[1]
    )


def told(found: Sequence[Window], asset: str, horizon: Horizon, first: int, last: int | None = None) -> str:
    """What a sentence about an asset adds where it is under maintenance in some of the slots; else nothing."""
    end = first + 1 if last is None else last
    here = [w for w in found if w.asset == asset and w.first < end and first < w.last]
    said = [
        f"{w.share:.0%} of it is left from {rfc3339(horizon.at(w.first))} to {rfc3339(horizon.at(w.last))}"
        + (f" ({w.reason})" if w.reason else "")
        for w in here
    ]
    return f" under maintenance: {', '.join(said)}" if said else ""


def _assets(doc: document.Problem) -> Iterator[tuple[str, Sequence[document.Maintenance]]]:
    yield "the grid connection", doc.grid.maintenance
    for kind, assets in (
        ("battery", doc.batteries),
        ("generator", doc.generators),
        ("pool", doc.pools),
        ("feed", doc.feeds),
        ("cooling unit", [] if doc.cooling is None else doc.cooling.units),
    ):
        yield from ((f"{kind} {asset.name}", asset.maintenance) for asset in assets)


def _inside(m: document.Maintenance, horizon: Horizon) -> tuple[int, int]:
    first, last = max(0, horizon.border(m.start)), min(horizon.slots, horizon.border(m.end))
    return first, max(first, last)
