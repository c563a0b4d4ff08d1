"""Every kind of source that a site file can name is made from it; nothing is asked in the making."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from api.sources import sources_of
from ingest.errors import SourceUnavailable
from ingest.site_file import resolved_site, sample_path

SOURCES = Path(__file__).resolve().parents[2] / "ingest" / "sources"


def test_all_of_them_are_made_with_their_names_and_periods(tmp_path: Path) -> None:
    (tmp_path / "bms.password").write_text("secret\n")
    text = sample_path("local").read_text()
    text += "".join((SOURCES / kind / "example.toml").read_text() for kind in ("prometheus", "modbus", "mqtt"))
    site = resolved_site(tomllib.loads(text), "the site", tmp_path)
    made = sources_of(site, tmp_path)
    assert {source.name: source.period_s for source in made} == {
        "nvml": 10.0,
        "dcgm-hall": 30.0,
        "ups": 15.0,
        "prometheus": 60.0,
        "pdu-a1": 10.0,
        "chiller-1": 15.0,
        "battery": 10.0,
        "bms": 0.05,
    }
    for late in made[1:]:
        inner = late._make()  # type: ignore[attr-defined]
        assert (inner.name, inner.period_s) == (late.name, late.period_s)
        inner.close()


def test_nvml_can_be_switched_off_and_a_secret_that_is_gone_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "bms.password").write_text("secret\n")
    text = sample_path("local").read_text() + "[telemetry.nvml]\nenabled = false\n"
    site = resolved_site(tomllib.loads(text + (SOURCES / "mqtt" / "example.toml").read_text()), "the site", tmp_path)
    (tmp_path / "bms.password").unlink()
    (late,) = sources_of(site, tmp_path)
    with pytest.raises(SourceUnavailable, match="the secret cannot be read"):
        late._make()  # type: ignore[attr-defined]
