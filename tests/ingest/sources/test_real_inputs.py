"""Real inputs as a site's day: pvlib's TMY3 year and the shared queues and curves; skipped where they are not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench import real_day, real_inputs
from optimizer.refusals import check_problem

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="real data (../shared/data) is not beside this checkout")


@needs_shared
def test_the_busiest_day_of_gaia_is_the_one_that_another_count_finds():
    """Counted apart from the reader, by a pandas group-by over all rows: day 304, 438 jobs, 6,584.6 unit-hours."""
    queue = real_inputs.busiest_gaia_day(SHARED, 60)
    assert queue.day == 304
    assert queue.jobs_that_day == 438
    assert queue.unit_hours_that_day == pytest.approx(6584.6, abs=0.1)
    assert len(queue.rows) == 60
    assert queue.share_kept > 0.9


@needs_shared
def test_helios_occupancy_is_a_shape_around_one():
    shape = real_inputs.helios_day_shape(SHARED)
    assert len(shape) == 24
    assert sum(shape) / 24 == pytest.approx(1.0)
    assert 0.7 < min(shape) < 1.0 < max(shape) < 1.3


@needs_shared
def test_measured_curves_are_the_published_means():
    """physics.md 1.1: pretraining at 250 W runs at 0.784 and draws 245 W; at 400 W at 1 and 382 W."""
    pretrain = real_inputs.measured_a100(SHARED).curve("pretrain")
    points = {point.limit_w: point for point in pretrain.points}
    assert points[250].speed == pytest.approx(0.784, abs=0.001)
    assert points[250].drawn_w == pytest.approx(245, abs=1)
    assert points[400].drawn_w == pytest.approx(382, abs=1)
    assert pretrain.evidence == "measured"


@needs_shared
@pytest.mark.parametrize("site", ["local", "dakhla"])
def test_a_real_day_is_a_document_that_the_contract_takes(site):
    day = real_day.build_day(site, datetime(2026, 6, 25), 60, 0.65, 36)
    problem = check_problem(day.document)
    assert len(problem.document.jobs) == 60
    asked = sum(job.gpus * min(job.work_h, 24.0) for job in day.jobs)
    offered = 24.0 * sum(pool.gpus for pool in day.site.pools)
    assert asked / offered == pytest.approx(0.65, abs=0.03)
    pv = day.document["series"]["pv_available_mw"]
    noon = day.horizon.start + timedelta(hours=12)
    assert noon.astimezone(UTC).hour == 17  # midnight at UTC-5
    assert pv[:16] == [0.0] * 16  # dark until 04:00
    assert max(pv) > 0.5 * sum(field.inverter_ac_mw for field in day.site.solar)
    assert any("GAIA" in line for line in day.inputs)


def test_a_missing_input_is_told_and_nothing_is_made_up(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(real_inputs, "__file__", str(tmp_path / "repo" / "bench" / "real_inputs.py"))
    assert real_day.main(["--site", "local"]) == 2
    assert "is not there" in capsys.readouterr().err
