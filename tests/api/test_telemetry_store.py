"""Which store a process gets, and that it keeps order in it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api import telemetry_store
from api.settings import Settings
from api.telemetry_store import keep_tidy, store_for
from ingest.clock import SystemClock
from ingest.errors import SourceUnavailable, StoreBusy, StoreUnavailable
from ingest.points import point, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.layout import Retention
from ingest.stores.spooled import SpooledStore
from models.errors import InvalidInput
from models.site import Site

INFLUX = '[telemetry.influxdb]\nurl = "http://127.0.0.1:9"\nbucket = "b"\nspool_mib = 1\n'
KEEP = "[telemetry.keep]\nraw_days = 7\nminute_days = 30\n"


def site_with(folder: Path, more: str) -> tuple[Settings, Site]:
    path = folder / "site.toml"
    path.write_text(f"{sample_path('local').read_text(encoding='utf-8')}\n{more}", encoding="utf-8")
    return Settings(path, folder), read_site(path)


def test_without_a_word_it_is_the_embedded_one_that_keeps_what_the_site_file_says(tmp_path: Path) -> None:
    store = store_for(*site_with(tmp_path, KEEP), SystemClock(), "web")
    assert isinstance(store, EmbeddedStore)
    assert (store.path, store.retention) == (tmp_path / "telemetry.db", Retention(raw_days=7, minute_days=30))
    store.close()


def test_an_influxdb_that_is_away_costs_nothing_that_was_accepted(tmp_path: Path) -> None:
    told = site_with(tmp_path, INFLUX)
    store = store_for(*told, SystemClock(), "web")
    assert isinstance(store, SpooledStore)
    store.write([point("m", {}, {"v": 1.0}, to_ns(datetime.now(UTC)))])
    with pytest.raises(StoreBusy):
        store_for(*told, SystemClock(), "web")
    other = store_for(*told, SystemClock(), "collector")
    other.close()
    store.close()
    again = store_for(*told, SystemClock(), "web")
    assert isinstance(again, SpooledStore)
    assert again.waiting_bytes > 0
    again.close()


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(SourceUnavailable, match="write the secret into its first line"):
        store_for(*site_with(tmp_path, INFLUX + 'token_file = "empty"\n'), SystemClock(), "web")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[telemetry.keep]\nraw_days = 500\n", r"telemetry\.keep\.minute_days: 400 is less than raw_days = 500"),
        ("[telemetry.keep]\nraw_days = 0\n", r"telemetry\.keep\.raw_days"),
        (INFLUX.replace("http://127.0.0.1:9", "127.0.0.1:9"), r"telemetry\.influxdb\.url: .* is no http address"),
        (INFLUX + 'token_file = "nowhere"\n', r"telemetry\.influxdb\.token_file"),
    ],
)
def test_a_site_file_that_cannot_mean_it_is_refused(tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        site_with(tmp_path, more)


def test_days_move_by_the_hour_and_a_failure_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_store, "_FIRST_S", 0.0)
    monkeypatch.setattr(telemetry_store, "_TIDY_S", 0.01)
    store = EmbeddedStore(tmp_path / "t.db")
    store.write([point("m", {}, {"v": 1.0}, to_ns(datetime.now(UTC) - timedelta(days=5)))])
    stop = threading.Event()
    real, failures = store.tidy, [StoreUnavailable("t.db", "a moment ago")]

    def moody() -> object:
        if failures:
            raise failures.pop()
        stop.set()
        return real()

    monkeypatch.setattr(store, "tidy", moody)
    keep_tidy(store, stop)
    assert len(list(store.history.rglob("*.parquet"))) == 3
    store.close()
