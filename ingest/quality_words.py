"""The words by which a value is flagged: what each means, and what may be made of such a value. Light.

States are OpenADR's: a reading is OK, MISSING, ESTIMATED or BAD. Nothing here is ever estimated; a flag that only
tells something about a good value leaves it OK.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

State = Literal["OK", "MISSING", "BAD"]


@dataclass(frozen=True, slots=True)
class Word:
    """What a flag says; ``fits``: whether the value may still be evidence for a fitted curve."""

    state: State
    about: str
    fits: bool = False


WORDS: Final[dict[str, Word]] = {
    "nan_inf": Word("MISSING", "not a finite number; its text is kept beside it"),
    "range": Word("BAD", "outside what is physically possible, or what this site's file makes possible"),
    "rate": Word("BAD", "a jump that the quantity cannot make in that time"),
    "stuck": Word("BAD", "the same value again and again while its past, and its peers, move"),
    "future": Word("BAD", "more than 60 s ahead of our clock"),
    "late": Word("OK", "more than 24 h old when it came: stored, not used live", fits=True),
    "time_travel": Word("BAD", "the device's clock went back by more than 60 s"),
    "dup_conflict": Word("OK", "another value for a known series and instant; both are kept"),
    "unit_suspect": Word("BAD", "fits after x 1000, / 1000, or from Fahrenheit: a unit was mixed up"),
    "sign_flip": Word("BAD", "the sign contradicts what the same device counts or stores"),
    "counter_reset": Word("OK", "a counter began anew; energy before and after it is good", fits=True),
    "cross_check": Word("BAD", "the parts do not make the whole that a meter shows"),
    "starved": Word("OK", "a GPU at work draws little though no cap holds it: it waits for data, memory or its peers"),
}


def state_of(flags: Iterable[str]) -> State:
    """State of a value with these flags; a word that is not known counts as BAD."""
    states = {WORDS[flag].state if flag in WORDS else "BAD" for flag in flags}
    return "BAD" if "BAD" in states else "MISSING" if "MISSING" in states else "OK"


def fits_curves(flags: Iterable[str]) -> bool:
    """Whether a value with these flags may be evidence for a curve of power and speed."""
    return all(flag in WORDS and WORDS[flag].fits for flag in flags)
