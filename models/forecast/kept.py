"""A fitted model as bytes, and the card that says what it is; refused where the two do not belong together.

``skops`` writes scikit-learn models as data. Opening one builds only types that are named here, so that a file from
anywhere can at worst be refused. The card (JSON) carries the digest, features, window, versions and scores.
"""

from __future__ import annotations

import hashlib
import io
import platform
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from skops import io as skops_io

from models.errors import Fault, InvalidInput
from models.forecast.blend import Blend, Recipe
from models.forecast.calibration import Calibration
from models.forecast.learned import LEVELS, Learned, Report, Score
from models.forecast.quantile_trees import QuantileTrees
from models.forecast.reliability import Reliability
from models.horizon import parse_rfc3339, rfc3339

FORM = 2
MOST_BYTES = 200_000_000  # packed; opened at most ten times that
_LIBRARIES = ("numpy", "scikit-learn", "skops")
_TRUSTED = {
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
}
Card = dict[str, Any]


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
    data = skops_io.dumps(parts, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    recipe = model.blend.recipe
    card: Card = {
        "form": FORM,
        "quantity": model.quantity,
        "digest": hashlib.sha256(data).hexdigest(),
        "features": list(model.names),
        "levels": LEVELS.tolist(),
        "recipe": {name: getattr(recipe, name) for name in Recipe.__slots__},
        "outcomes": model.calibration.outcomes,
        "known_until": rfc3339(model.known_until),
        "window": list(model.window),
        "rows": model.rows,
        "versions": _versions(),
        "scores": {name: {"pinball": s.pinball, "by_lead": _told(s.by_lead)} for name, s in report.scores.items()},
        "reliability": {name: getattr(report.reliability, name) for name in Reliability.__slots__},
        "days": report.days,
        "notes": list(report.notes),
    }
    return data, card


def opened(data: bytes, card: Mapping[str, Any], features: tuple[str, ...] | None = None) -> tuple[Learned, Report]:
    """Model and report of :func:`packed`; ``features``: what the caller would hand it.

    Raises:
        InvalidInput: another form, digest, library version or features, a type that is not ours, or too large.
    """
    what = f"the model file of {card.get('quantity', 'an unknown quantity')}"
    faults = list(_faults(data, card, features))
    if faults:
        raise InvalidInput(what, faults)
    strange = sorted(set(skops_io.get_untrusted_types(data=data)) - _TRUSTED)
    if strange:
        message = f"it holds {', '.join(strange[:3])}, which no model of ours does; do not use it"
        raise InvalidInput(what, [Fault("", "untrusted_type", message)])
    parts = skops_io.loads(data, trusted=sorted(_TRUSTED))
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


def _faults(data: bytes, card: Mapping[str, Any], features: tuple[str, ...] | None) -> list[Fault]:
    if card.get("form") != FORM:
        return [Fault("form", "unknown_form", f"form {card.get('form')!r}, this version reads {FORM}; train it anew")]
    found = []
    if len(data) > MOST_BYTES:
        found.append(Fault("", "too_large", f"{len(data)} bytes; at most {MOST_BYTES} are opened"))
    elif hashlib.sha256(data).hexdigest() != card["digest"]:
        found.append(Fault("digest", "mismatch", "the bytes are not those that the card was written for; train anew"))
    elif (size := _unpacked(data)) > 10 * MOST_BYTES:
        found.append(Fault("", "too_large", f"{size} bytes when opened; at most {10 * MOST_BYTES} are"))
    now = _versions()
    for name, said in card["versions"].items():
        if now.get(name) != said:
            message = f"fitted with {name} {said}, here runs {now.get(name)}; train it anew"
            found.append(Fault(f"versions.{name}", "mismatch", message))
    if features is not None and tuple(card["features"]) != features:
        odd = sorted(set(card["features"]) ^ set(features)) or ["their order"]
        message = f"other features than the site gives ({', '.join(odd[:5])}); train it anew"
        found.append(Fault("features", "mismatch", message))
    if card["levels"] != LEVELS.tolist():
        found.append(Fault("levels", "mismatch", f"levels {card['levels']}; this version answers {LEVELS.tolist()}"))
    return found


def _unpacked(data: bytes) -> int:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return sum(entry.file_size for entry in file.infolist())
    except zipfile.BadZipFile:
        return 0


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version_tuple()[1]}


def _told(values: tuple[float, ...]) -> list[float | None]:
    return [None if value != value else value for value in values]
