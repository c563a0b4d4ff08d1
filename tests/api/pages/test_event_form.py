"""What an operator types becomes an event's document: site times to instants, nothing guessed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from api.pages.event_form import asked_of, document_of
from models.errors import InvalidInput

PARIS = ZoneInfo("Europe/Paris")


def test_site_times_become_instants_and_empty_fields_are_left_out():
    window = b"start=2026-07-01T18%3A00&end=2026-07-01T20%3A00%2B00%3A00"
    asked = asked_of(b"id=cut-1&" + window + b"&most_import_mw=2.5&note=+&x=1")
    assert not asked.empty
    assert document_of(asked.fields, PARIS) == {
        "source": "operator page",
        "id": "cut-1",
        "start": "2026-07-01T16:00:00Z",
        "end": "2026-07-01T20:00:00Z",
        "most_import_mw": 2.5,
    }


def test_a_number_that_is_none_is_left_to_the_events_own_check():
    assert document_of({"most_import_mw": "a lot", "priority": "1.5"}, PARIS)["most_import_mw"] == "a lot"


@pytest.mark.parametrize(
    ("local", "told"),
    [
        ("2026-10-25T02:30", "twice"),  # clocks go back from 03:00 to 02:00
        ("2026-03-29T02:30", "never"),  # and forward from 02:00 to 03:00
        ("soon", "is no time"),
        ("0001-01-01T00:00", "outside the years 1 to 9999"),
        ("9999-12-31T23:00-02:00", "outside the years 1 to 9999"),
    ],
)
def test_a_local_time_that_names_no_single_instant_is_refused(local, told):
    with pytest.raises(InvalidInput) as refused:
        document_of({"start": local}, PARIS)
    [fault] = refused.value.faults
    assert fault.pointer == "/start"
    assert told in fault.message


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"a&" * 60])
def test_what_is_no_form_is_refused(body):
    with pytest.raises(InvalidInput):
        asked_of(body)


def test_the_key_is_no_field_and_so_never_shown_again():
    asked = asked_of(b"key=chergui_secret&unknown=yes")
    assert (asked.key, asked.unknown, asked.empty) == ("chergui_secret", True, True)
