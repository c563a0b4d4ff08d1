"""What nobody can measure is not granted: the default is served, under a new version, until telemetry is back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.known import Known
from ingest.errors import StoreUnavailable
from ingest.points import point, to_ns
from ingest.stores.memory import MemoryStore
from models.lease import Mode

HALL = {"site": "local", "asset": "hall"}


@pytest.fixture
def granted(house, edition):
    house.doors.plans.publish(edition, {})
    house.doors.plans.set_mode("hall", Mode.AUTO, None, "test")
    house.doors.planner.give()
    return house


def supply(house, celsius, minutes_ago):
    at = to_ns(house.doors.clock.now() - timedelta(minutes=minutes_ago))
    house.doors.intake.accept([point("crah", HALL, {"supply_c": celsius}, at)])


def looked_again(house):
    house.doors.known._looked = None
    return house.doors.standing("hall")


def test_a_site_without_meters_is_granted_as_before(granted):
    assert granted.doors.standing("hall").reason is None


def test_a_cooling_sensor_that_fell_silent_takes_the_grant_back_until_it_speaks(granted):
    supply(granted, 22.0, 7)
    blind = looked_again(granted)
    assert (blind.reason, blind.ttl_s) == ("TELEMETRY", 0)
    pull = granted.get("/api/v1/caps/pools/hall")
    assert (pull.json()["source"], pull.json()["reason"]) == ("default", "TELEMETRY")
    assert granted.client.get("/healthz").json()["checks"]["telemetry"]["doubtful"][0]["why"] == "silent"
    before = blind.version
    supply(granted, 22.1, 0)
    back = looked_again(granted)
    assert back.reason is None
    assert back.version.seq > before.seq, "a 304 would lie"


def test_the_answer_is_looked_up_every_five_seconds_and_outlives_a_silent_store(house):
    class Store(MemoryStore):
        asked = 0
        away = False

        def latest(self, metric, tags):
            self.asked += 1
            if self.away:
                raise StoreUnavailable("it", "is away")
            return super().latest(metric, tags)

    class Clock:
        seconds = 0.0

        def now(self):
            return house.doors.clock.now()

        def monotonic(self):
            return self.seconds

    store, clock = Store(), Clock()
    known = Known(store, house.doors.site, clock)
    store.write([point("crah", HALL, {"supply_c": 22.0}, to_ns(clock.now() - timedelta(hours=1)))])
    assert not known.enough()
    first = store.asked
    clock.seconds = 4.9
    assert not known.enough()
    assert store.asked == first
    store.away, clock.seconds = True, 5.1
    assert not known.enough()
    assert store.asked > first
