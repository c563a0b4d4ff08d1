"""What a job says of itself is read strictly, or the job is left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from models.errors import InvalidInput
from models.queued_job import SILENT, Words, read_words, span_h


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", SILENT),
        ("ask alice before you cancel delay=4h", SILENT),
        ("chergui=off", Words(takes_part=False)),
        ("run 7, chergui=on delay=1d12h pausable=on", Words(takes_part=True, delay_h=36.0, pausable=True)),
        ('{"chergui": {"delay": "90m", "floor_w": 400}}', Words(takes_part=True, delay_h=1.5, floor_w=400.0)),
        ('{"chergui": false, "team": 3}', Words(takes_part=False)),
        ('{"team": "chergui-fans"}', SILENT),
        (
            "chergui=on deadline=2026-11-29T06:00:00Z work=3h workload=finetune",
            Words(takes_part=True, deadline=datetime(2026, 11, 29, 6, tzinfo=UTC), work_h=3.0, workload="finetune"),
        ),
    ],
)
def test_words(text, words):
    assert read_words(text) == words


def test_later_texts_win():
    assert read_words("chergui=on delay=4h", "chergui=off") == Words(takes_part=False, delay_h=4.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chergui=maybe", "'maybe' is neither on nor off"),
        ("chergui=on delay=4", "'4' is no span of time"),
        ("chergui=on deadline=tomorrow", "RFC 3339"),
        ("chergui=on workload=dreaming", "none of pretrain"),
        ('{"chergui": {"delya": "4h"}}', "delya: is unknown"),
        ('{"chergui": {"delay": "4h"', "not JSON"),
        ("chergui=on floor_w=-3", "watts"),
        ("chergui=on pools=a,,b", "no name"),
        ("chergui=on gpus_min=0", "no whole number of GPUs"),
        ("chergui=on checkpoint_gb=much", "no number of GB"),
        ("chergui=on rent=perhaps", "neither on nor off"),
    ],
)
def test_words_that_cannot_be_read_are_told(text, told):
    with pytest.raises(InvalidInput, match=told.replace("(", r"\(")):
        read_words(text)


@pytest.mark.parametrize(("text", "hours"), [("4h", 4.0), ("90m", 1.5), ("1d", 24.0), ("1d2h30m", 26.5), ("1.5h", 1.5)])
def test_spans(text, hours):
    assert span_h(text) == hours


@pytest.mark.parametrize("text", ["", "h", "4", "-4h", "4h4h", "500d", "4 h"])
def test_spans_that_are_none(text):
    with pytest.raises(ValueError, match=r"span|more than"):
        span_h(text)


@pytest.mark.parametrize(
    "text",
    [
        "chergui=on pools=a,b gpus_min=8 rent=on residency=MA checkpoint_gb=12.5 surplus=off",
        '{"chergui": {"pools": ["a", "b"], "gpus_min": 8, "rent": true, "residency": "MA", "checkpoint_gb": 12.5, '
        '"surplus": false}}',
    ],
)
def test_words_of_jobs_that_can_choose(text):
    said = read_words(text)
    assert (said.pools, said.gpus_min, said.rent, said.residency) == (("a", "b"), 8, True, ("MA",))
    assert (said.checkpoint_gb, said.surplus) == (12.5, False)
    assert said.ways == ["pools", "gpus_min", "rent"]
