"""``chergui forecast train|score|show`` on real substations, from the files that the conversion writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_past import SMALL
from typer.testing import CliRunner

from api.cli import app
from bench.forecasts_past import cluster, written
from ingest.site_file import read_site
from models.horizon import rfc3339

DATA = Path(__file__).parents[3] / "shared" / "data" / "forecast"
pytestmark = pytest.mark.skipif(
    not (DATA / "nl_sites_pv_wind_15min.csv.gz").is_file(),
    reason="the real substations (shared/data/forecast) are not beside the checkout",
)


@pytest.mark.parametrize(("site", "kind"), [("OWD", "solar"), ("WEW", "wind")])
def test_a_real_substation_trains_scores_and_shows_its_fan(site, kind, tmp_path, monkeypatch):
    monkeypatch.setattr("models.forecast.learned.SERVICE", SMALL)
    path = written(DATA, site, kind, tmp_path)
    assert len(read_site(path).solar) + len(read_site(path).wind) == 1
    last = datetime.fromtimestamp((tmp_path / "weather.csv").stat().st_mtime, UTC)
    files = ["--runs", str(tmp_path / "runs.csv"), "--actual", str(tmp_path / "actual.csv")]

    def forecast(word, at, *more):
        words = ["forecast", word, "--site", str(path), "--data-dir", str(tmp_path), "--now", rfc3339(at), *more]
        done = CliRunner().invoke(app, words)
        assert done.exit_code in (0, 1), done.output
        return done.output

    told = forecast("train", last - timedelta(days=10), *files)
    assert "  promoted: beats" in told, told
    scored = forecast("score", last, *files)
    assert "P5 to P95 covered" in scored
    shown = forecast("show", last, "--hours", "12")
    rows = [line.split() for line in shown.splitlines() if line.startswith("  2021-")]
    assert len(rows) >= 11
    assert all(0 <= float(low) <= float(mid) <= float(high) for _, _, low, mid, high in rows)
    assert "known since" in shown


@pytest.mark.usefixtures("few_trees")
def test_a_real_clusters_load_is_scored_and_shown_with_its_cooling(tmp_path):
    file, end = cluster(DATA, tmp_path)
    words = ["--site", "dakhla", "--data-dir", str(tmp_path), "--loads", str(file), "--now", rfc3339(end)]
    done = CliRunner().invoke(app, ["forecast", "score", *words])
    assert done.exit_code == 0, done.output
    assert "over 14 days" in done.output
    shown = CliRunner().invoke(app, ["forecast", "show", *words, "--hours", "12"]).output
    rows = [line.split() for line in shown.splitlines() if line.startswith("  2026-")]
    assert len(rows) == 2 * 12
    assert all(0 <= float(low) <= float(mid) <= float(high) for _, _, low, mid, high in rows)
