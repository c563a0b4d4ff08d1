"""A learned forecast as bytes, and the card that says what it is: digest, features, window, versions and scores.

How they are kept and refused: :mod:`models.kept_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.blend import Blend, Recipe
from models.forecast.calibration import Calibration
from models.forecast.learned import LEVELS, Learned, Report, Score
from models.forecast.quantile_trees import QuantileTrees
from models.forecast.reliability import Reliability
from models.horizon import parse_rfc3339, rfc3339
from models.kept_bytes import Card, dumped, loaded, sealed

FORM = 4


def packed(model: Learned, report: Report) -> tuple[bytes, Card]:
    """The model's bytes and its card."""
    parts = {
        "boosted": list(model.blend.boosted),
        "forest": model.blend.forest.forest,
        "targets": model.blend.forest.targets,
        "leaves": model.blend.forest.leaves,
        "stretch": model.calibration.stretch,
        "edges": model.calibration.edges,
        "shifts": model.calibration.shifts,
    }
    data, told = dumped(parts)
    recipe = model.blend.recipe
    card: Card = {
        "form": FORM,
        "quantity": model.quantity,
        **told,
        "features": list(model.names),
        "levels": LEVELS.tolist(),
        "recipe": {name: getattr(recipe, name) for name in Recipe.__slots__},
        "outcomes": model.calibration.outcomes,
        "known_until": rfc3339(model.known_until),
        "window": list(model.window),
        "rows": model.rows,
        "capacity_mw": model.capacity_mw,
        "by_state": model.by_state,
        "scores": {name: {"pinball": s.pinball, "by_lead": _told(s.by_lead)} for name, s in report.scores.items()},
        "reliability": {name: getattr(report.reliability, name) for name in Reliability.__slots__},
        "days": report.days,
        "notes": list(report.notes),
    }
    return data, sealed(card)


def opened(data: bytes, card: Mapping[str, Any], features: tuple[str, ...] | None = None) -> tuple[Learned, Report]:
    """Model and report of :func:`packed`; ``features``: what the caller would hand it.

    Raises:
        InvalidInput: another form, seal, digest, library version or features, a type that is not ours, or too large.
    """
    what = f"the model file of {card.get('quantity', 'an unknown quantity')}"
    if card.get("form") != FORM:
        message = f"form {card.get('form')!r}, this version reads {FORM}; train it anew"
        raise InvalidInput(what, [Fault("form", "unknown_form", message)])
    parts = loaded(data, card, what, _faults(card, features))
    recipe = Recipe(**{**card["recipe"], "knots": tuple(card["recipe"]["knots"])})
    forest = QuantileTrees(parts["forest"], parts["targets"], parts["leaves"])
    levels = np.asarray(card["levels"])
    model = Learned(
        card["quantity"],
        tuple(card["features"]),
        Blend(recipe, tuple(parts["boosted"]), forest),
        Calibration(levels, parts["stretch"], parts["edges"], parts["shifts"], card["outcomes"]),
        parse_rfc3339(card["known_until"]).astimezone(UTC),
        (card["window"][0], card["window"][1]),
        card["rows"],
        card["capacity_mw"],
        card["by_state"],
    )
    return model, report_of(card)


def report_of(card: Mapping[str, Any]) -> Report:
    """The scores that a card carries."""
    scores = {
        name: Score(s["pinball"], tuple(float("nan") if v is None else v for v in s["by_lead"]))
        for name, s in card["scores"].items()
    }
    return Report(scores, Reliability(**card["reliability"]), card["days"], tuple(card["notes"]))


def known_until(card: Mapping[str, Any]) -> datetime:
    """The instant whose knowledge a kept model holds."""
    return parse_rfc3339(card["known_until"])


def _faults(card: Mapping[str, Any], features: tuple[str, ...] | None) -> Iterator[Fault]:
    if features is not None and tuple(card["features"]) != features:
        odd = sorted(set(card["features"]) ^ set(features)) or ["their order"]
        message = f"other features than the site gives ({', '.join(odd[:5])}); train it anew"
        yield Fault("features", "mismatch", message)
    if card["levels"] != LEVELS.tolist():
        yield Fault("levels", "mismatch", f"levels {card['levels']}; this version answers {LEVELS.tolist()}")


def _told(values: tuple[float, ...]) -> list[float | None]:
    return [None if value != value else value for value in values]
