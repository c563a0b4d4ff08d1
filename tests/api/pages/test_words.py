import re
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

import api.pages
from api.pages.words import LANGUAGES, catalogue, choose_language, words

PAGES = Path(api.pages.__file__).parent


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_catalogue_has_the_same_keys_places_and_no_empty_sentence(language):
    english, other = catalogue("en"), catalogue(language)
    assert set(other) == set(english)
    for key, sentence in other.items():
        forms = sentence if isinstance(sentence, tuple) else (sentence,)
        reference = english[key] if isinstance(english[key], tuple) else (english[key],)
        assert len(forms) == len(reference), key
        for form in forms:
            assert form.strip(), key
            assert places(form) == places(reference[-1]), key


def test_every_key_that_code_and_templates_name_is_in_the_catalogue():
    known = catalogue("en")
    named = set()
    for path in [*PAGES.rglob("*.py"), *PAGES.rglob("*.html")]:
        named |= set(re.findall(r"""\b(?:words\.|tongue\.)?[tn]\("([a-z_.]+)"[,)]""", path.read_text(encoding="utf-8")))
    assert len(named) > 60
    assert named <= set(known), named - set(known)


def test_french_and_english_differ_where_it_matters():
    english, french = catalogue("en"), catalogue("fr")
    same = {key for key in english if english[key] == french[key]}
    assert len(same) < 0.15 * len(english), same


@pytest.mark.parametrize(
    ("asked", "cookie", "accept", "chosen"),
    [
        (None, None, None, "en"),
        ("fr", "en", "en", "fr"),
        ("xx", "fr", "en", "fr"),
        (None, None, "fr-MA,fr;q=0.9,en;q=0.5", "fr"),
        (None, None, "ar,fr;q=0.4,en;q=0.3", "fr"),
        (None, None, "de;q=nonsense,en", "en"),
        (None, None, "fr;q=0,en", "en"),
    ],
)
def test_language_comes_from_query_then_cookie_then_header(asked, cookie, accept, chosen):
    assert choose_language(asked, cookie, accept) == chosen


def test_numbers_follow_the_language_and_stay_with_their_unit():
    assert words("en").quantity(1234.5, "MW") == "\u20681,234.5\u00a0MW\u2069"
    assert words("fr").quantity(1234.5, "MW") == "\u20681\u202f234,5\u00a0MW\u2069"
    assert words("en").number(-0.04) == "0.0"
    assert words("en").number(-2.0) == "\u22122.0"


def test_unknown_is_said_and_never_zero():
    for language, said in (("en", "unknown"), ("fr", "inconnu")):
        tongue = words(language)
        assert tongue.quantity(None, "MW") == tongue.percent(None) == tongue.age(None) == said
        assert tongue.number(None) == "\u2013"


def test_plurals_follow_each_language():
    assert "0 jobs end late" in words("en").n("exceptions.late", 0)
    assert "0 tâche finit" in words("fr").n("exceptions.late", 0)
    assert "1 job ends" in words("en").n("exceptions.late", 1)
    assert "2 tâches finissent" in words("fr").n("exceptions.late", 2)


def test_times_are_24_hours_in_the_zone_of_the_site():
    moment = datetime(2026, 7, 1, 22, 5, tzinfo=UTC)
    assert words("en").when(moment, ZoneInfo("Europe/Paris")) == "\u2068Thu 2 Jul 00:05\u2069"
    assert words("fr").when(moment, ZoneInfo("Europe/Paris")) == "\u2068jeu. 2 juil. 00:05\u2069"
