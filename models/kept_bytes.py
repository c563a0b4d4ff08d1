"""Fitted scikit-learn models as bytes beside a card, opened only where the two belong together and to this version.

``skops`` writes models as data. Opening one builds only types that are named, so that a file from anywhere can at worst
be refused. A card (JSON) carries ``digest`` and ``versions``, whatever its kind of model adds, and a ``seal`` over all
of that: a card that was edited, or damaged, would make the model say something else, or praise it.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from skops import io as skops_io

from models.errors import Fault, InvalidInput

MOST_BYTES = 200_000_000  # packed; opened at most ten times that
_LIBRARIES = ("numpy", "scikit-learn", "skops")
_TRUSTED = {
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
}
Card = dict[str, Any]


def dumped(parts: Mapping[str, Any]) -> tuple[bytes, Card]:
    """Bytes of named parts, and what every card says of them."""
    data = skops_io.dumps(dict(parts), compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    return data, {"digest": hashlib.sha256(data).hexdigest(), "versions": _versions()}


def sealed(card: Mapping[str, Any]) -> Card:
    """The card with the seal over all else that it says."""
    return {**card, "seal": _seal(card)}


def loaded(data: bytes, card: Mapping[str, Any], what: str, others: Iterable[Fault] = ()) -> dict[str, Any]:
    """The parts; ``others``: what else speaks against opening them, asked only of a card whose seal holds.

    Raises:
        InvalidInput: another seal, digest or library version, a type that is not ours, too large, or ``others``.
    """
    if card.get("seal") != _seal(card):
        message = "the card was edited or damaged since it was written; train anew"
        raise InvalidInput(what, [Fault("seal", "mismatch", message)])
    faults = [*_faults(data, card), *others]
    if faults:
        raise InvalidInput(what, faults)
    strange = sorted(set(skops_io.get_untrusted_types(data=data)) - _TRUSTED)
    if strange:
        message = f"it holds {', '.join(strange[:3])}, which no model of ours does; do not use it"
        raise InvalidInput(what, [Fault("", "untrusted_type", message)])
    found: dict[str, Any] = skops_io.loads(data, trusted=sorted(_TRUSTED))
    return found


def _faults(data: bytes, card: Mapping[str, Any]) -> Iterable[Fault]:
    if len(data) > MOST_BYTES:
        yield Fault("", "too_large", f"{len(data)} bytes; at most {MOST_BYTES} are opened")
    elif hashlib.sha256(data).hexdigest() != card["digest"]:
        yield Fault("digest", "mismatch", "the bytes are not those that the card was written for; train anew")
    elif (size := _unpacked(data)) is None:
        yield Fault("", "damaged", "it is no file of a model; train anew")
    elif size > 10 * MOST_BYTES:
        yield Fault("", "too_large", f"{size} bytes when opened; at most {10 * MOST_BYTES} are")
    now = _versions()
    for name, said in card["versions"].items():
        if now.get(name) != said:
            message = f"fitted with {name} {said}, here runs {now.get(name)}; train it anew"
            yield Fault(f"versions.{name}", "mismatch", message)


def _seal(card: Mapping[str, Any]) -> str:
    told = {name: value for name, value in card.items() if name != "seal"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _unpacked(data: bytes) -> int | None:
    """Bytes when opened; None where it is no archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return sum(entry.file_size for entry in file.infolist())
    except zipfile.BadZipFile:
        return None


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version_tuple()[1]}
