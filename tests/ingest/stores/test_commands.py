"""``chergui store``: as an operator types it, over the embedded store and a real InfluxDB."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.points import point, to_ns
from ingest.site_file import sample_path
from ingest.stores.embedded import EmbeddedStore
from tests.support.running_service import chergui_here

START = datetime(2026, 11, 1, tzinfo=UTC)
T0 = to_ns(START)


def filled(path):
    store = EmbeddedStore(path)
    for hour in range(30):
        at = T0 + hour * 3600 * 10**9
        store.write(
            [point("gpu", {"gpu": str(g)}, {"power_w": 400.0 + hour, "note": f"hour {hour}"}, at) for g in "ab"]
        )
    store.close()


def test_the_embedded_store_is_made_and_read_through(tmp_path):
    made = chergui_here("store", "init", "local", "--data-dir", str(tmp_path))
    assert (made.exit_code, f"{tmp_path}/telemetry.db" in made.stdout) == (0, True)
    filled(tmp_path / "telemetry.db")
    assert len(EmbeddedStore(tmp_path / "telemetry.db").tidy().moved) == 2
    well = chergui_here("store", "check", "local", "--data-dir", str(tmp_path))
    assert well.exit_code == 0
    assert "4 series, 0 hot day(s), 6 file(s)" in well.stdout
    [broken, *_] = (tmp_path / "telemetry.db-history").glob("level=1min/*/*.parquet")
    broken.write_bytes(broken.read_bytes()[:100])
    ill = chergui_here("store", "check", "local", "--data-dir", str(tmp_path))
    assert ill.exit_code == 1
    assert "1min of 2026-11-" in ill.stderr
    assert "restore it from a backup" in ill.stderr


def test_a_site_without_influxdb_has_nowhere_to_move_to(tmp_path):
    done = chergui_here("store", "migrate", "local", "--to", "influxdb", "--data-dir", str(tmp_path))
    assert done.exit_code == 1
    assert "[telemetry.influxdb]" in done.stderr


@pytest.fixture
def site(tmp_path, influx_server):
    url, _ = influx_server
    text = sample_path("local").read_text(encoding="utf-8")
    path = tmp_path / "site.toml"
    path.write_text(f'{text}\n[telemetry.influxdb]\nurl = "{url}"\nbucket = "store_commands/autogen"\n')
    return path


@pytest.mark.peer
def test_a_real_influxdb_is_made_checked_filled_and_emptied_into_another_embedded_store(tmp_path, site, influx_server):
    _, run = influx_server
    run("DROP DATABASE store_commands")
    before = chergui_here("store", "check", str(site), "--data-dir", str(tmp_path))
    assert before.exit_code == 1
    assert "database not found" in before.stderr
    made = chergui_here("store", "init", str(site), "--data-dir", str(tmp_path))
    assert (made.exit_code, "(1.6.7" in made.stdout) == (0, True)
    filled(tmp_path / "telemetry.db")
    span = ("--start", "2026-11-01T00:00:00Z", "--end", "2026-11-03T00:00:00Z")
    there = chergui_here("store", "migrate", str(site), "--to", "influxdb", "--data-dir", str(tmp_path), *span)
    assert there.exit_code == 0, there.stderr
    assert "2026-11-02 gpu.power_w: 12 values" in there.stdout
    assert "120 values copied and compared" in there.stdout
    other = tmp_path / "other"
    back = chergui_here("store", "migrate", str(site), "--to", "embedded", "--data-dir", str(other), *span)
    assert back.exit_code == 0, back.stderr
    one, two = EmbeddedStore(tmp_path / "telemetry.db"), EmbeddedStore(other / "telemetry.db")
    for metric in ("gpu.power_w", "gpu.note"):
        assert two.raw(metric, {}, START, datetime(2026, 11, 3, tzinfo=UTC)) == one.raw(
            metric, {}, START, datetime(2026, 11, 3, tzinfo=UTC)
        )
    run("DROP DATABASE store_commands")
