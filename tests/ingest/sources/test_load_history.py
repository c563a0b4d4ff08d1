"""Past loads from a file: hourly means, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.sources.outlook.load_history import read_loads
from models.errors import InvalidInput
from models.horizon import parse_rfc3339

KNOWN = ["base_load_mw", "inference_mw/chat", "it_mw"]


def written(folder: Path, text: str) -> Path:
    path = folder / "loads.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_half_hours_become_hours_and_one_that_is_not_whole_is_missing(tmp_path: Path) -> None:
    rows = [
        "2026-05-01T00:00:00Z,1,4",
        "2026-05-01T00:30:00Z,2,4",
        "2026-05-01T01:00:00Z,,5",
        "2026-05-01T01:30:00Z,3,5",
    ]
    found = read_loads(written(tmp_path, "\n".join(["# ours", "time,base_load_mw,inference_mw/chat", *rows])), KNOWN)
    assert list(found) == ["base_load_mw", "inference_mw/chat"]
    base = found["base_load_mw"]
    assert base.start == parse_rfc3339("2026-05-01T00:00:00Z")
    np.testing.assert_array_equal(base.values, [1.5, np.nan])
    assert found["inference_mw/chat"].values.tolist() == [4.0, 5.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no row in it"),
        ("time;base_load_mw\n2026-05-01T00:00:00Z;1", "semicolon"),
        ("base_load_mw\n1", "time and at least one of"),
        ("time\n2026-05-01T00:00:00Z", "time and at least one of"),
        ("time,load\n2026-05-01T00:00:00Z,1", "no load of this site"),
        ("time,it_mw,it_mw\n2026-05-01T00:00:00Z,1,1", "stands twice"),
        ("time,it_mw\n2026-05-01T00:00:00Z,\n2026-05-01T01:00:00Z,", "no value at all"),
        ("time,it_mw\n2026-05-01T00:00:00Z,-1\n2026-05-01T01:00:00Z,1", "-1 at 2026-05-01T00:00:00"),
        ("time,it_mw\n2026-05-01T00:00:00Z,inf\n2026-05-01T01:00:00Z,1", "inf at"),
        ("time,it_mw\n2026-05-01T00:00:00,1\n2026-05-01T01:00:00,1", "offset"),
        ("time,it_mw\n2026-05-01T00:00:00Z,one\n2026-05-01T01:00:00Z,1", "'one' is no number"),
        ("time,it_mw\n2026-05-01T00:00:00Z,1\n2026-05-01T00:00:00Z,1", ""),
        ("time,it_mw\n2026-05-01T00:00:00Z,1\n2026-05-01T01:30:00Z,1\n2026-05-01T02:00:00Z,1", ""),
    ],
)
def test_what_cannot_be_a_load_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_loads(written(tmp_path, text), KNOWN)
    assert said in str(refused.value)
