"""A learned COP as bytes, and the card that says what it is: digest, plant, window, versions, ranges and scores.

How they are kept and refused: :mod:`models.kept_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339, rfc3339
from models.kept_bytes import Card, dumped, loaded
from models.learn.chiller import LearnedChiller
from models.learn.plant_cop import LearnedCop

FORM = 1
_WHAT = "the learned COP"


def packed(found: LearnedCop) -> tuple[bytes, Card]:
    """The COP's bytes and its card."""
    data, told = dumped({"trees": found.chiller.trees})
    chiller = found.chiller
    return data, {
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


def opened(data: bytes, card: Mapping[str, Any]) -> LearnedCop:
    """What :func:`packed` made.

    Raises:
        InvalidInput: another form, digest or library version, a type that is not ours, or a card that lacks something.
    """
    if card.get("form") != FORM:
        message = f"form {card.get('form')!r}, this version reads {FORM}; learn it anew"
        raise InvalidInput(_WHAT, [Fault("form", "unknown_form", message)])
    try:
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
    except (KeyError, IndexError, TypeError) as error:
        message = f"the card lacks {error}; learn it anew"
        raise InvalidInput(_WHAT, [Fault("", "card", message)]) from None
