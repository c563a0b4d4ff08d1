"""One suite for every telemetry store: what a writer and a reader may rely on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.intake import Intake
from ingest.points import Unsigned, point, to_ns
from ingest.quarantine import Released, Which, bad_at, quarantined, release
from models.errors import InvalidInput, NotFound

START = datetime(2026, 6, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
T0 = to_ns(START)
S = 1_000_000_000


def gpu(number, watts, at_s):
    return point("gpu", {"site": "dakhla", "node": "n1", "gpu": f"GPU-{number}"}, {"power_w": watts}, T0 + at_s * S)


def test_it_gives_back_the_mean_of_each_slot_and_nan_where_nothing_came(store):
    store.write([gpu(0, 400.0, 0), gpu(0, 500.0, 60), gpu(0, 300.0, 900 + 899), gpu(0, 7.0, 3600)])
    series = store.query("gpu.power_w", {"gpu": "GPU-0"}, START, START + timedelta(hours=1), QUARTER)
    np.testing.assert_allclose(series.values, [450.0, 300.0, np.nan, np.nan], rtol=1e-12)
    assert series.start == START
    assert series.step == QUARTER
    assert series.unit == "W"


def test_slots_count_from_the_start_asked_for_not_from_the_hour(store):
    store.write([gpu(0, 100.0, 7 * 60), gpu(0, 200.0, 7 * 60 + 899), gpu(0, 900.0, 22 * 60)])
    start = START + timedelta(minutes=7)
    series = store.query("gpu.power_w", {}, start, start + 2 * QUARTER, QUARTER)
    np.testing.assert_allclose(series.values, [150.0, 900.0])


def test_several_series_are_joined_only_as_asked(store):
    store.write([gpu(0, 400.0, 0), gpu(1, 300.0, 0), gpu(0, 420.0, 900)])
    hour = (START, START + 2 * QUARTER, QUARTER)
    with pytest.raises(InvalidInput, match="2 series match"):
        store.query("gpu.power_w", {"site": "dakhla"}, *hour)
    joined = {how: store.query("gpu.power_w", {}, *hour, across=how).values for how in ("sum", "mean", "max", "min")}
    np.testing.assert_allclose(joined["sum"], [700.0, np.nan])  # not 420: one of the two is missing
    np.testing.assert_allclose(joined["mean"], [350.0, np.nan])
    np.testing.assert_allclose(joined["max"], [400.0, np.nan])
    np.testing.assert_allclose(joined["min"], [300.0, np.nan])


def test_a_range_without_samples_is_not_found(store):
    with pytest.raises(NotFound):
        store.query("gpu.power_w", {}, START, START + QUARTER, QUARTER)
    store.write([gpu(0, 400.0, 0)])
    with pytest.raises(NotFound):
        store.query("gpu.power_w", {"gpu": "GPU-9"}, START, START + QUARTER, QUARTER)
    with pytest.raises(NotFound):
        store.query("gpu.power_w", {}, START + QUARTER, START + 2 * QUARTER, QUARTER)


def test_ranges_must_be_whole_slots(store):
    store.write([gpu(0, 400.0, 0)])
    for end, step in ((START, QUARTER), (START + timedelta(minutes=20), QUARTER), (START + QUARTER, timedelta(0))):
        with pytest.raises(InvalidInput):
            store.query("gpu.power_w", {}, START, end, step)


def test_the_range_is_half_open(store):
    store.write([gpu(0, 1.0, 0), gpu(0, 2.0, 900)])
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + QUARTER)] == [1.0]


def test_a_repeat_changes_nothing(store):
    batch = [gpu(0, 400.0, 0), gpu(1, 410.0, 0), gpu(0, 390.0, 60)]
    store.write(batch)
    before = store.raw("gpu.power_w", {}, START, START + QUARTER)
    store.write(batch)
    assert store.raw("gpu.power_w", {}, START, START + QUARTER) == before
    assert len(before) == 3


def test_a_corrected_value_becomes_the_current_one(store):
    store.write([gpu(0, 400.0, 0)])
    store.write([gpu(0, 401.0, 0)])
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + QUARTER)] == [401.0]


def test_every_type_comes_back_as_it_went(store):
    fields = {"a": 1.5, "b": 7, "c": True, "d": 'say "hi", \\ = é', "e": -(2**63), "f": 1e-300, "g": 450.0}
    store.write([point("types", {"x": "y"}, fields, T0 + 123)])
    for field, value in fields.items():
        [sample] = store.latest(f"types.{field}", {"x": "y"})
        assert sample.value == value
        assert type(sample.value) is type(value)
        assert sample.time_ns == T0 + 123


def test_unsigned_numbers_keep_all_their_bits(store):
    if not getattr(store, "has_unsigned", True):
        pytest.skip("this server's version has no unsigned integers")
    store.write([point("types", {}, {"u": Unsigned(2**64 - 1)}, T0), point("types", {}, {"u": Unsigned(1)}, T0 + 1)])
    values = [s.value for s in store.raw("types.u", {}, START, START + QUARTER)]
    assert values == [2**64 - 1, 1]
    mean = store.query("types.u", {}, START, START + QUARTER, QUARTER).values[0]
    assert mean == pytest.approx(2**63)


def test_odd_names_and_tags_come_back_as_they_went(store):
    tags = {"a b": "c,d", "e=f": "g\\h i", "naïve": "🌞", "quote": 'x"y', "deep": "a\\,b\\=c"}
    store.write([point("odd name, with=all", tags, {"fi eld,=": 1.0}, T0)])
    [sample] = store.latest("odd name, with=all.fi eld,=", {"a b": "c,d"})
    assert dict(sample.tags) == tags


def test_latest_is_by_time_and_not_by_arrival(store):
    store.write([gpu(0, 2.0, 60), gpu(1, 5.0, 0)])
    store.write([gpu(0, 1.0, 0)])
    assert [(dict(s.tags)["gpu"], s.value) for s in store.latest("gpu.power_w", {})] == [("GPU-0", 2.0), ("GPU-1", 5.0)]
    assert store.latest("gpu.power_w", {"gpu": "GPU-7"}) == []


def test_a_value_of_another_type_is_refused_and_the_rest_kept(store):
    store.write([gpu(0, 400.0, 0)])
    written = store.write([gpu(0, 410.0, 60), gpu(0, "high", 120), gpu(0, 420.0, 180)])
    assert [refusal.code for refusal in written.refused] == ["type_conflict"]
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + QUARTER)] == [400.0, 410.0, 420.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63])
def test_what_is_no_finite_number_is_refused_at_once(store, value):
    with pytest.raises(ValueError, match=r"finite|64 bits"):
        store.write([gpu(0, 400.0, 0), gpu(1, value, 0)])
    assert store.latest("gpu.power_w", {}) == []


def test_an_empty_batch_is_no_error(store):
    assert store.write([]).stored == 0


def test_instants_before_1970_and_nanoseconds_are_kept(store):
    early = datetime(1969, 12, 31, 23, 50, tzinfo=UTC)
    store.write([point("old", {}, {"x": 3.0}, to_ns(early) + 1)])
    assert store.latest("old.x", {})[0].time_ns == to_ns(early) + 1
    assert list(store.query("old.x", {}, early, early + timedelta(minutes=5), timedelta(minutes=5)).values) == [3.0]


def test_texts_and_switches_have_no_mean(store):
    store.write([point("types", {}, {"text": "a", "flag": True}, T0)])
    for field in ("text", "flag"):
        with pytest.raises(NotFound):
            store.query(f"types.{field}", {}, START, START + QUARTER, QUARTER)


def believed(store, *times):
    """What a store says of the first hour as of some hours after it, NaN where nothing was known."""
    said = []
    for hours in times:
        as_of = None if hours is None else START + timedelta(hours=hours)
        try:
            series = store.query("forecast.pv_mw", {}, START, START + 2 * QUARTER, QUARTER, as_of=as_of)
        except NotFound:
            said.append([])
            continue
        assert series.available_at == as_of
        said.append(series.values.tolist())
    return said


def forecast(*values):
    return [point("forecast", {"site": "s"}, {"pv_mw": v}, T0 + k * 900 * S) for k, v in enumerate(values)]


def test_a_forecast_is_asked_for_as_it_was_believed_then(store):
    store.write(forecast(1.0, 2.0), START - timedelta(hours=3))
    store.write(forecast(1.0, 5.0), START - timedelta(hours=2))
    store.write(forecast(1.0, 2.0), START - timedelta(hours=1))  # back to what it was
    assert believed(store, -4, -3, -2.5, -2, -1, None) == [[], [1, 2], [1, 2], [1, 5], [1, 2], [1, 2]]


def test_a_belief_that_comes_late_takes_its_place_in_time(store):
    if not getattr(store, "orders_beliefs", True):
        pytest.skip("this store's current value is the one that was written last")
    store.write(forecast(1.0, 2.0), START - timedelta(hours=1))
    store.write(forecast(7.0, 8.0), START - timedelta(hours=3))
    assert believed(store, -2, -1, None) == [[7, 8], [1, 2], [1, 2]]


def test_what_was_believed_already_is_no_news(store):
    store.write(forecast(1.0, 2.0), START - timedelta(hours=3))
    store.write(forecast(1.0, 2.0), START - timedelta(hours=3))
    store.write(forecast(1.0, 2.0), START - timedelta(hours=2))
    assert believed(store, -3, -2, None) == [[1, 2]] * 3


def test_it_names_its_metrics(store):
    assert store.metrics() == []
    store.write([gpu(0, 400.0, 0), point("types", {}, {"b": True, "a": "text"}, T0)])
    store.write(forecast(1.0), START)
    assert store.metrics() == ["forecast.pv_mw", "gpu.power_w", "types.a", "types.b"]


def test_what_is_flagged_is_listed_and_released_from_every_store(store):
    class Noon:
        def now(self):
            return START + timedelta(minutes=2)

        def monotonic(self):
            return 0.0

    intake = Intake(store, Noon())
    for at_s, watts in enumerate((431.0, 432.0, 0.431)):
        intake.accept([gpu(0, watts, at_s)])
    which = Which(START, START + QUARTER, "gpu.power_w", {"gpu": "GPU-0"}, bad_only=True)
    span = ("gpu.power_w", {"gpu": "GPU-0"}, START, START + QUARTER)
    assert bad_at(store, *span) == {T0 + 2 * S: "unit_suspect"}
    assert release(store, which, "key-1", Noon().now(), 'read by hand: "right", all of it') == 1
    assert bad_at(store, *span) == {}
    [row], total = quarantined(store, Which(START, START + QUARTER))
    assert (total, row.value, row.flags) == (1, 0.431, ("unit_suspect",))
    assert row.released == Released("key-1", "2026-06-01T00:02:00Z", 'read by hand: "right", all of it')
    with pytest.raises(NotFound, match=r"gpu\.power_w"):
        release(store, which, "key-2", Noon().now(), "once more")
