"""The stores that the contract suite runs on."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest

from ingest.stores.embedded import EmbeddedStore
from ingest.stores.layout import Retention
from ingest.stores.memory import MemoryStore

PEERS = Path(__file__).resolve().parents[2] / "peers"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory):
    """(url for a v2 client, how to run InfluxQL); skips loudly where there is no influxd."""
    spec = importlib.util.spec_from_file_location("chergui_tests_influxd", PEERS / "influxd.py")
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    with peer.influxd(tmp_path_factory.mktemp("influxd")) as found:
        if found is None:
            pytest.skip("NO influxd HERE: `make test-peers` installs it; InfluxDB is NOT tested")
        url, port = found
        yield url, lambda statement: peer.influxql(port, statement)


@pytest.fixture
def influx_store(influx_server):
    from ingest.stores.influx import InfluxStore

    url, run = influx_server
    database = f"chergui{next(_numbers)}"
    run(f"CREATE DATABASE {database}")
    store = InfluxStore(url, f"{database}/autogen")
    store.has_unsigned = False  # 1.6.7 was built without them
    store.orders_beliefs = False
    yield store
    store.close()
    run(f"DROP DATABASE {database}")


class HistoryStore(EmbeddedStore):
    """The embedded store with every day moved to files at once, so that reads come from there."""

    def __init__(self, path):
        super().__init__(path, retention=Retention(raw_days=10**5, minute_days=10**5, quarter_days=10**5))

    def write(self, batch, believed_at=None):
        written = super().write(batch, believed_at)
        assert self.tidy().waiting == ()
        return written


@pytest.fixture(params=["memory", "embedded", "history", pytest.param("influx", marks=pytest.mark.peer)])
def store(request, tmp_path):
    if request.param == "influx":
        yield request.getfixturevalue("influx_store")
        return
    path = tmp_path / "telemetry.sqlite"
    opened = {"memory": MemoryStore, "embedded": lambda: EmbeddedStore(path), "history": lambda: HistoryStore(path)}[
        request.param
    ]()
    yield opened
    opened.close()
