"""The stores that the contract suite runs on."""

from __future__ import annotations

import pytest

from ingest.stores.embedded import EmbeddedStore
from ingest.stores.memory import MemoryStore


@pytest.fixture(params=["memory", "embedded"])
def store(request, tmp_path):
    opened = MemoryStore() if request.param == "memory" else EmbeddedStore(tmp_path / "telemetry.sqlite")
    yield opened
    opened.close()
