"""A writer to be killed: ``python torture.py STORE FOLDER FIRST SEED`` writes batches and says which are kept.

Batch ``n`` is forty values ``n`` of one instant. On the way, by chance: the disk is full (files may not grow), the
server is away, days move to files, and a batch is sent again as a client does whose answer was lost.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.errors import StoreUnavailable
from ingest.points import NS, Point, to_ns
from ingest.spool import Spool
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.spooled import SpooledStore

START = datetime(2026, 6, 1, tzinfo=UTC)
GPUS = 40


class Later:
    """A clock by which the days that are written are over."""

    def now(self):
        return START + timedelta(days=8)

    def monotonic(self):
        return 0.0


class Moody:
    """A server that is away every third time."""

    def __init__(self, store, chance):
        self._store, self._chance = store, chance

    def write(self, batch, believed_at=None):
        if self._chance.random() < 0.33:
            raise StoreUnavailable("moody", "away")
        return self._store.write(batch, believed_at)

    def close(self):
        self._store.close()


def batch_of(number):
    at = to_ns(START + timedelta(days=number % 3)) + number * NS
    return [Point("gpu", (("gpu", f"GPU-{k}"),), (("power_w", float(number)),), at) for k in range(GPUS)]


def embedded(folder):
    return EmbeddedStore(folder / "telemetry.db", clock=Later(), wait_s=20.0)


def main():
    kind, folder, number, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(seed)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
    under = embedded(folder)
    store = under
    if kind == "spooled":
        store = SpooledStore(Spool(folder / "spool"), Moody(under, chance), retry_s=0.0)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    while True:
        if chance.random() < 0.15:
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            room = chance.choice((0, 3000, max(sizes) // 2, max(sizes)))
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            store.write(batch_of(number))
        except StoreUnavailable:
            print("refused", flush=True)
            continue  # nothing was kept: the same batch again
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(number, flush=True)
        if chance.random() < 0.1:
            store.write(batch_of(number))
        if chance.random() < 0.02 and number > 3:
            under.tidy()
        number += 1


if __name__ == "__main__":
    main()
