"""What the sources' folders hold for an engineer to copy is right as it stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ingest.catalogue import METRICS
from ingest.site_file import resolved_site, sample_path

SOURCES = Path(__file__).resolve().parents[3] / "ingest" / "sources"
EXAMPLES = sorted(SOURCES.glob("*/example.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_is_a_valid_part_of_a_site_file(path):
    raw = tomllib.loads(sample_path("local").read_text() + "\n" + path.read_text())
    telemetry = resolved_site(raw).telemetry
    assert len(telemetry.model_fields_set) >= 1


def test_each_source_folder_has_what_an_engineer_needs():
    assert {path.parent.name for path in EXAMPLES} >= {"prometheus", "modbus", "mqtt"}
    for folder in ("nvml", "prometheus", "modbus", "mqtt", "push"):
        text = (SOURCES / folder / "README.md").read_text()
        assert "How it is tested" in text
        assert re.search(r"\bunits?\b", text)
    assert (SOURCES / "push" / "telegraf.conf").is_file()


@pytest.mark.parametrize("folder", ["prometheus", "modbus"])
def test_the_fields_that_a_readme_names_are_in_the_catalogue(folder):
    text = (SOURCES / folder / "README.md").read_text()
    fields = {name.partition(".")[2] for name in METRICS}
    named = set(re.findall(r"`([a-z0-9_]+_(?:w|mw|mwh|j|c|mhz|mib|ratio|code|bits|kpa|pct|m3_h|l_min|hz))`", text))
    assert named
    assert named - fields == set()
