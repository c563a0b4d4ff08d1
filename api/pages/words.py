"""Languages of the pages: sentences from message catalogues, numbers and times as each language writes them.

Catalogues are gettext files with symbolic keys (``translations/*.po``), read once at start. Numbers with
their unit are wrapped in Unicode isolates, so that they stay whole inside a text of either direction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent, get_decimal_symbol, get_group_symbol

LANGUAGES: Final = ("en", "fr")
_FOLDER = Path(__file__).parent / "translations"
_LOCALES = {"en": Locale("en", "GB"), "fr": Locale("fr")}
_ISOLATE, _POP = "\u2068", "\u2069"
UNKNOWN = "\u2013"


def isolated(text: str) -> str:
    """``text`` between first-strong isolates."""
    return f"{_ISOLATE}{text}{_POP}"


def choose_language(asked: str | None, cookie: str | None, accept: str | None) -> str:
    """First language of query, cookie and ``Accept-Language`` that a catalogue exists for; else English."""
    for wish in (asked, cookie):
        if wish in LANGUAGES:
            return str(wish)
    ranked: list[tuple[float, str]] = []
    for part in (accept or "").split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            ranked.append((float(weight or 1), name.split("-")[0].lower()))
        except ValueError:  # a malformed weight: the header is advice, not input
            continue
    wanted = [name for weight, name in sorted(ranked, key=lambda item: -item[0]) if weight > 0]
    return negotiate_locale(wanted, LANGUAGES) or LANGUAGES[0]


def catalogue(language: str) -> dict[str, str | tuple[str, ...]]:
    """Message key to sentence, or to its plural forms in the catalogue's order."""
    with (_FOLDER / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=language)
    found: dict[str, str | tuple[str, ...]] = {}
    for message in messages:
        if message.id:
            key = message.id[0] if isinstance(message.id, (list, tuple)) else message.id
            found[key] = tuple(message.string) if isinstance(message.string, (list, tuple)) else message.string or ""
    return found


class Words:
    """One language: ``t`` for sentences, ``n`` for counted ones, and the formats of numbers and times."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.locale = _LOCALES[language]
        self._messages = catalogue(language)
        self._plural: Callable[[int], int] = (lambda n: int(n > 1)) if language == "fr" else (lambda n: int(n != 1))

    def has(self, key: str) -> bool:
        """Whether the catalogue knows ``key``."""
        return key in self._messages

    def t(self, key: str, **values: object) -> str:
        """Sentence of ``key``, its ``{places}`` filled.

        Raises:
            KeyError: the catalogue lacks it (a test keeps the catalogues complete).
        """
        found = self._messages[key]
        sentence = found if isinstance(found, str) else found[-1]
        return sentence.format(**values) if values else sentence

    def n(self, key: str, count: int, **values: object) -> str:
        """Sentence of ``key`` in the plural form of ``count``; ``{count}`` is filled too."""
        forms = self._messages[key]
        sentence = forms if isinstance(forms, str) else forms[self._plural(count)]
        return sentence.format(count=self.number(count, 0), **values)

    def named(self, prefix: str, name: str) -> str:
        """Sentence of ``prefix.name``; a name that no catalogue knows stands for itself."""
        key = f"{prefix}.{name}"
        return self.t(key) if self.has(key) else name

    def number(self, value: float | None, digits: int = 1) -> str:
        """A number with ``digits`` decimals; unknown is a dash, never 0."""
        if value is None:
            return UNKNOWN
        rounded = round(value, digits) + 0.0
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(rounded, pattern, locale=self.locale).replace("-", "\u2212")

    def quantity(self, value: float | None, unit: str, digits: int = 1) -> str:
        """Number and unit in one isolate, with a space that does not break; ``unknown`` where there is none."""
        if value is None:
            return self.t("unknown")
        return isolated(f"{self.number(value, digits)}\u00a0{unit}" if unit else self.number(value, digits))

    def percent(self, ratio: float | None, digits: int = 1) -> str:
        """A ratio as percentage."""
        if ratio is None:
            return self.t("unknown")
        pattern = "#,##0" + ("." + "0" * digits if digits else "") + ("\u00a0%" if self.language == "fr" else "%")
        return isolated(format_percent(round(ratio, digits + 2) + 0.0, pattern, locale=self.locale))

    def age(self, seconds: float | None) -> str:
        """A span as one or two units: ``45 s``, ``12 min``, ``3 h 05 min``."""
        if seconds is None:
            return self.t("unknown")
        whole = max(0, int(seconds))
        if whole < 60:
            return isolated(f"{whole}\u00a0s")
        if whole < 3600:
            return isolated(f"{whole // 60}\u00a0min")
        if whole < 48 * 3600:
            return isolated(f"{whole // 3600}\u00a0h\u00a0{whole % 3600 // 60:02d}\u00a0min")
        return isolated(self.t("days", days=self.number(whole // 86400, 0)))

    def when(self, moment: datetime | None, zone: ZoneInfo) -> str:
        """Day and 24 h time of the site."""
        if moment is None:
            return self.t("unknown")
        return isolated(format_datetime(moment, "EEE d MMM HH:mm", tzinfo=zone, locale=self.locale))

    def day(self, iso_date: str) -> str:
        """Short day of an ISO date."""
        return format_date(date.fromisoformat(iso_date), "EEE d MMM", locale=self.locale)

    def vega_locale(self) -> dict[str, object]:
        """The number format of the language as Vega wants it."""
        return {
            "decimal": get_decimal_symbol(self.locale),
            "thousands": get_group_symbol(self.locale),
            "grouping": [3],
            "currency": ["", ""],
        }


@cache
def words(language: str) -> Words:
    """The one :class:`Words` of a language."""
    return Words(language)
