"""A learned COP as bytes, and the card that says what it is: digest, plant, window, versions, ranges and scores.

How they are kept and refused: :mod:`models.kept_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339, rfc3339
from models.kept_bytes import Card, dumped, loaded, sealed
from models.learn.chiller import LearnedChiller
from models.learn.plant_cop import LearnedCop

FORM = 2
_WHAT = "the learned COP"


def packed(found: LearnedCop) -> tuple[bytes, Card]:
    """The COP's bytes and its card."""
    data, told = dumped({"trees": found.chiller.trees})
    chiller = found.chiller
    card = {
        "form": FORM,
        "plant": found.plant_digest,
        **told,
        "ambient": "wet bulb" if found.wet else "dry bulb",
        "window": list(found.window),
        "known_until": rfc3339(found.known_until),
        "rows": chiller.rows,
        "heat_range_mw": list(chiller.heat_range_mw),
        "ambient_range_c": list(chiller.ambient_range_c),
        "band": [chiller.low, chiller.high],
        "scores": found.scores,
        "notes": list(found.notes),
    }
    return data, sealed(card)


def opened(data: bytes, card: Mapping[str, Any]) -> LearnedCop:
    """What :func:`packed` made.

    Raises:
        InvalidInput: another form, seal, digest or library version, or a type that is not ours.
    """
    if card.get("form") != FORM:
        message = f"form {card.get('form')!r}, this version reads {FORM}; learn it anew"
        raise InvalidInput(_WHAT, [Fault("form", "unknown_form", message)])
    trees = loaded(data, card, _WHAT)["trees"]
    chiller = LearnedChiller(
        trees,
        (card["heat_range_mw"][0], card["heat_range_mw"][1]),
        (card["ambient_range_c"][0], card["ambient_range_c"][1]),
        card["band"][0],
        card["band"][1],
        card["rows"],
    )
    return LearnedCop(
        chiller,
        card["plant"],
        card["ambient"] == "wet bulb",
        (card["window"][0], card["window"][1]),
        parse_rfc3339(card["known_until"]).astimezone(UTC),
        dict(card["scores"]),
        tuple(card["notes"]),
    )
