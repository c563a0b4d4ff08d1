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
READMES = sorted([*SOURCES.glob("*/README.md"), SOURCES / "README.md", *Path(__file__).parent.glob("*/README.md")])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_is_a_valid_part_of_a_site_file(path):
    raw, example = tomllib.loads(sample_path("local").read_text()), tomllib.loads(path.read_text())
    if "jobs" in example:
        del raw["synthetic"]  # made-up jobs are not mixed into a real queue
    site = resolved_site(raw | example)
    assert example
    for section in example:
        assert len(getattr(site, section).model_fields_set) >= 1


def test_each_source_folder_has_what_an_engineer_needs():
    assert {path.parent.name for path in EXAMPLES} >= {"nvml", "prometheus", "modbus", "mqtt", "slurm"}
    for folder in ("nvml", "prometheus", "modbus", "mqtt", "push", "slurm", "job_list"):
        text = (SOURCES / folder / "README.md").read_text()
        assert "How it is tested" in text
        assert re.search(r"\bunits?\b", text)
    assert (SOURCES / "push" / "telegraf.conf").is_file()


def test_every_folder_stands_in_the_overview():
    told = (SOURCES / "README.md").read_text()
    folders = {path.parent.name for path in SOURCES.glob("*/README.md")}
    assert {name for name in folders if f"({name}/README.md)" in told} == folders


@pytest.mark.parametrize("path", READMES, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
def test_what_a_readme_points_to_is_there(path):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("folder", ["prometheus", "modbus"])
def test_the_fields_that_a_readme_names_are_in_the_catalogue(folder):
    text = (SOURCES / folder / "README.md").read_text()
    fields = {name.partition(".")[2] for name in METRICS}
    named = set(re.findall(r"`([a-z0-9_]+_(?:w|mw|mwh|j|c|mhz|mib|ratio|code|bits|kpa|pct|m3_h|l_min|hz))`", text))
    assert named
    assert named - fields == set()
