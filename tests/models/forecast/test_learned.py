"""Learned forecasts: they beat their baselines or do not serve, see nothing that was not known, and are kept safely."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_past import DAY, HOUR, SMALL, at_day, made_past

from models.errors import InvalidInput
from models.forecast import kept
from models.forecast.features import Features, gathered
from models.forecast.history import History, teaching
from models.forecast.learned import LEVELS, Score, train
from models.forecast.past import moment64
from models.forecast.rows import Rows
from models.forecast.standing import DayScore, beside_champion, judged, served_days, standing
from models.forecast.yardsticks import yardsticks
from models.kept_bytes import sealed


@pytest.fixture(scope="module")
def trained():
    history, features = made_past()
    model, report = train(history, features, at_day(50), SMALL)
    return history, features, model, report


def test_a_bias_of_the_weather_is_learned_and_every_baseline_beaten(trained):
    _, _, _, report = trained
    assert report.best_baseline in report.scores
    assert set(report.scores) == {"learned", "climatology", "persistence", "physics"}
    assert report.scores["learned"].pinball < 0.5 * report.scores["persistence"].pinball
    assert judged(report).promoted


def test_quantiles_rise_stay_within_and_sleep_at_exactly_nothing(trained):
    _, features, model, _ = trained
    asleep = Features(features.names, features.values, np.arange(len(features)) % 2 == 0)
    said = model.predict(asleep)
    assert (np.diff(said, axis=1) >= 0).all()
    assert said.min() >= 0
    assert said.max() <= 1
    assert (said[1::2] == 0).all()


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_was_not_known_changes_nothing(seed):
    """Outcomes, weather and limits after the issue are shuffled: forecasts and scores stay the same to the bit."""
    rng = np.random.default_rng(seed)
    history, features = made_past(30)
    issued = at_day(24.5)
    unknown = history.known_at > moment64(issued)
    mixed = np.flatnonzero(unknown)
    other = rng.permutation(mixed)
    actual, values = history.actual_mw.copy(), features.values.copy()
    actual[mixed] = actual[other] * rng.uniform(0, 1)
    later = history.rows.issued_at > moment64(issued)
    values[later] = rng.permutation(values[later])
    limited = history.limited | (unknown & (rng.uniform(size=len(actual)) < 0.5))
    changed = replace(history, actual_mw=actual, limited=limited)
    one = train(history, features, issued, SMALL)
    two = train(changed, Features(features.names, values, features.awake), issued, SMALL)
    np.testing.assert_array_equal(one[0].predict(features), two[0].predict(features))
    assert repr(one[1]) == repr(two[1])


def test_a_planted_leak_is_caught_by_the_shuffle():
    """A feature that is tomorrow's outcome makes the forecast of the same weather differ once outcomes are shuffled."""
    history, features = made_past(30)
    issued = at_day(24)
    rng = np.random.default_rng(0)

    def leaky(past: History) -> np.ndarray:
        ahead = np.roll(past.actual_mw, -1)
        return gathered({"speed": features.values[:, 0], "ahead": ahead}, features.awake)

    unknown = np.flatnonzero(history.known_at > moment64(issued))
    actual = history.actual_mw.copy()
    actual[unknown] = rng.permutation(actual[unknown])
    changed = replace(history, actual_mw=actual)
    ask = history.rows.issued_at == moment64(issued)
    said = []
    for past in (history, changed):
        made = leaky(past)
        model, _ = train(past, made, issued, SMALL)
        said.append(model.predict(Features(made.names, made.values[ask], made.awake[ask])))
    assert not np.array_equal(*said)


def test_weather_known_after_its_issue_is_refused_as_peeking(trained):
    rows = trained[0].rows
    with pytest.raises(InvalidInput, match="known only after") as error:
        replace(rows, available_at=rows.available_at + np.timedelta64(HOUR))
    assert error.value.faults[0].code == "peeking"
    with pytest.raises(InvalidInput, match="before the slot was over"):
        replace(trained[0], known_at=trained[0].known_at - np.timedelta64(1, "m"))


def test_a_forecast_without_an_issue_time_is_refused(trained):
    rows = trained[0].rows
    never = rows.issued_at.copy()
    never[3] = np.datetime64("NaT")
    with pytest.raises(InvalidInput, match="issued_at"):
        replace(rows, issued_at=never)


@pytest.mark.parametrize("fault", ["doubled", "missing"])
def test_doubled_and_missing_hours_are_named(trained, fault):
    rows = trained[0].rows
    starts = rows.starts.copy()
    starts[5:24] += np.timedelta64(HOUR) * (-1 if fault == "doubled" else 1)
    with pytest.raises(InvalidInput, match=r"row 4 \(2026-01-01T04"):
        replace(rows, starts=starts)


def test_curtailed_stuck_and_dead_hours_never_teach():
    history, _ = made_past(40)
    actual = history.actual_mw.copy()
    actual[100:110] = 4.2  # stuck for ten hours
    actual[200:300] = 0.0  # out for four days while the weather promised power
    limited = history.limited.copy()
    limited[400:410] = True
    found = teaching(replace(history, actual_mw=actual, limited=limited), at_day(40))
    assert not found.rows[100:110].any()
    assert not found.rows[200:300].any()
    assert not found.rows[400:410].any()
    assert len(found.notes) == 3
    assert found.rows.sum() == 40 * 24 - 120


def test_a_slot_that_was_over_when_its_run_was_issued_is_no_forecast_and_never_teaches():
    """Every run is issued six hours late: its first six slots were over by then, the seventh was not."""
    history, features = made_past(40)
    late = history.rows.issued_at + np.timedelta64(6, "h")
    found = teaching(replace(history, rows=replace(history.rows, issued_at=late)), at_day(41))
    assert not found.rows.reshape(40, 24)[:, :6].any()
    assert found.rows.reshape(40, 24)[:, 6:].all()
    assert found.notes == ("240 slot(s) left out: over when their run was issued, so no forecast of it",)
    hindsight = replace(history.rows, issued_at=history.rows.issued_at + np.timedelta64(DAY))
    with pytest.raises(InvalidInput, match=r"0 rows .* 960 slot\(s\) left out: over when"):
        train(replace(history, rows=hindsight), features, at_day(42), SMALL)


def test_hours_without_weather_neither_teach_nor_judge_and_are_said(trained):
    """Two hours without weather; a feature of the hour before makes each missing once more."""
    history, features, _, _ = trained
    said = features.values[:, 0].copy()
    said[[100, 101]] = np.nan
    holes = gathered({"speed": said, "hour": features.values[:, 1], "before": np.roll(said, 1)}, features.awake)
    physics = np.where(np.isnan(said), np.nan, history.physics_mw)
    past = replace(history, physics_mw=physics)
    model, report = train(past, holes, at_day(50), SMALL)
    assert "3 slot(s) left out: weather missing in them or in the hours beside them" in report.notes
    assert model.rows == trained[2].rows - 3
    assert served_days(model, past, holes, at_day(60))


@pytest.mark.parametrize("left", [0.0, 0.05])
def test_what_a_state_leaves_next_to_nothing_of_teaches_no_clean_plant(left):
    """Asleep at dawn, where dust keeps the inverter off: 0 of 0 is not missing, something of 0 not full power."""
    history, features = made_past(40)
    dawn = np.arange(960) % 24 == 5
    actual = np.where(dawn & (np.arange(960) % 48 > 24), 0.0, history.actual_mw)
    stated = replace(history, actual_mw=actual, state=np.where(dawn, left, 0.9))
    assert not stated.tells_clean[dawn].any()
    assert np.isfinite(stated.clean_share).all()
    model, _ = train(stated, features, at_day(40), SMALL)
    assert model.rows == 40 * 23


def test_a_past_that_was_not_known_yet_says_so():
    history, features = made_past(40)
    with pytest.raises(InvalidInput, match=r"960 slot\(s\) or their runs were not known yet at 2025-12-22T00:00:00Z"):
        train(history, features, at_day(-10), SMALL)


def test_a_farm_at_rated_power_is_not_stuck_but_a_meter_that_holds_its_highest_reading_once_is():
    history, _ = made_past(40)
    actual = np.minimum(history.actual_mw, 5.0)
    rated = actual.copy()
    rated[100:110], rated[300:310] = 9.3, 9.3  # less than its 10 MW by wake and losses
    assert teaching(replace(history, actual_mw=rated), at_day(40)).rows[[*range(100, 110), *range(300, 310)]].all()
    held = actual.copy()
    held[100:110] = 9.3
    assert not teaching(replace(history, actual_mw=held), at_day(40)).rows[100:110].any()


def test_a_meter_that_drops_out_now_and_then_is_no_less_stuck_and_a_plant_no_less_dead():
    """A value a day is missing in the month of zeros, every third hour in the stuck ones."""
    history, _ = made_past(40)
    actual = history.actual_mw.copy()
    actual[200:500], actual[600:620] = 0.0, 4.2
    actual[200:500:24], actual[600:620:3] = np.nan, np.nan
    found = teaching(replace(history, actual_mw=actual), at_day(40)).rows
    assert not found[200:500].any()
    assert not found[600:620].any()
    assert found.sum() == 960 - 300 - 20
    nothing = teaching(replace(history, actual_mw=np.full(960, np.nan)), at_day(40))
    assert not nothing.rows.any()


def test_an_all_zero_month_is_an_outage_only_where_the_weather_promised_power():
    history, _ = made_past(40)
    actual = np.where(np.arange(960) < 720, 0.0, history.actual_mw)
    calm = replace(history, actual_mw=actual, physics_mw=np.where(np.arange(960) < 720, 0.0, history.physics_mw))
    assert teaching(calm, at_day(40)).rows[:720].all()
    assert not teaching(replace(history, actual_mw=actual), at_day(40)).rows[:720].any()


def test_a_unit_that_is_off_and_a_turned_sign_are_refused_with_value_and_mend(trained):
    history = trained[0]
    with pytest.raises(InvalidInput, match="check its unit"):
        replace(history, actual_mw=history.actual_mw * 1000)
    with pytest.raises(InvalidInput, match="turn its sign"):
        replace(history, actual_mw=-history.actual_mw)


def test_power_in_gigawatts_is_refused_and_another_capacity_is_said():
    """0.1 % of what the physics promise is no weather; half of it, all or half the time, may be another plant."""
    history, features = made_past(40)
    with pytest.raises(InvalidInput, match=r"0\.0\d% of what the physics promise came in all; check the unit"):
        train(replace(history, actual_mw=history.actual_mw / 1000), features, at_day(40), SMALL)
    _, usual = train(history, features, at_day(40), SMALL)
    assert usual.notes == ()
    _, half = train(replace(history, actual_mw=history.actual_mw / 2), features, at_day(40), SMALL)
    assert "of what the physics promise came in all; check the unit (MW) and the capacity" in half.notes[0]
    grown = np.where(np.arange(960) < 480, 0.5, 1.0) * history.actual_mw
    _, step = train(replace(history, actual_mw=grown), features, at_day(40), SMALL)
    assert "where the capacity changed, train on what came since" in step.notes[-1]
    dark = replace(history, physics_mw=np.zeros(960))
    assert "promise nothing at all, and power came" in train(dark, features, at_day(40), SMALL)[1].notes[-1]


def test_a_capacity_change_is_a_fact_of_its_time(trained):
    """Half the turbines until day 20: shares stay what they were, so the model is the same."""
    history, features, model, _ = trained
    half = np.where(np.arange(len(history.rows)) < 480, 0.5, 1.0)
    grown = replace(
        history,
        actual_mw=history.actual_mw * half,
        physics_mw=history.physics_mw * half,
        capacity_mw=history.capacity_mw * half,
    )
    other, _ = train(grown, features, at_day(50), SMALL)
    np.testing.assert_allclose(other.predict(features), model.predict(features), atol=1e-12)


def test_a_column_without_any_value_is_refused(trained):
    rows = trained[0].rows
    with pytest.raises(InvalidInput, match="no value at all"):
        replace(rows, columns={**rows.columns, "temp_air_c": np.full(len(rows), np.nan)})


def test_too_little_past_is_said_with_what_was_left_out():
    history, features = made_past(10)
    with pytest.raises(InvalidInput, match="over 10 days can teach"):
        train(history, features, at_day(10), SMALL)


def test_persistence_takes_the_last_value_known_at_the_issue_and_climatology_its_hour(trained):
    history = trained[0]
    said = yardsticks(history, LEVELS)
    share = history.share
    np.testing.assert_allclose(said["persistence"][240:264, 0], share[216:240])
    day = said["climatology"][50 * 24 : 51 * 24]
    want = np.quantile(share[5 * 24 : 50 * 24].reshape(45, 24)[:, 7], LEVELS)
    np.testing.assert_allclose(day[7], want)


def test_a_lead_at_night_tells_no_skill(trained):
    """Next to nothing over 0.00002 is not "thousands of per cent worse"."""
    report = trained[3]
    scores = {"learned": Score(0.02, (0.01, 0.001, 0.03, 0.02, float("nan")))}
    scores["physics"] = Score(0.04, (0.00002, 0.0, 0.04, 0.01, float("nan")))
    assert replace(report, scores=scores).skill_by_lead == (None, None, pytest.approx(0.25), -1.0, None)


def test_a_model_that_does_not_beat_its_baselines_is_not_promoted(trained):
    report = trained[3]
    best = report.best_baseline
    verdict = judged(replace(report, scores=report.scores | {"learned": report.scores[best]}))
    assert not verdict.promoted
    assert f"does not beat {best}" in verdict.reason


def test_a_champion_on_the_shelf_is_compared_on_days_that_neither_saw(trained):
    history, features, _, _ = trained
    early, _ = train(history, features, at_day(30), SMALL)
    _, report = train(history, features, at_day(60), SMALL)
    days = beside_champion(early, report, history, features, at_day(60))
    assert len(days) >= 25
    assert min(day.day for day in days) >= "2026-01-31"
    assert all({"learned", "champion", "physics"} <= set(day.pinball) for day in days)
    worse = [replace(day, pinball={**day.pinball, "champion": day.pinball["learned"] / 2}) for day in days]
    assert not judged(report, worse).promoted
    assert judged(report, days).promoted
    few = judged(report, worse[:3])
    assert few.promoted
    assert "3 day(s) beside the champion, compared from 7" in few.reason


def test_unproven_until_sixty_days_are_scored_then_watched(trained):
    history, features, model, report = trained
    days = served_days(model, history, features, at_day(60))
    assert [day.day for day in days] == [f"2026-02-{20 + k:02d}" for k in range(9)] + ["2026-03-01"]
    found = standing(report, days)
    assert found.serves
    assert not found.proven
    assert standing(report, days * 6).proven
    assert "watched from 7" in standing(report, days[:3]).reason


def test_a_drifted_champion_raises_the_alarm_and_falls_back_by_itself(trained):
    history, features, model, report = trained
    broken = replace(
        history, actual_mw=np.where(np.arange(len(history.rows)) >= 1200, 0.3 * history.actual_mw, history.actual_mw)
    )
    days = served_days(model, broken, features, at_day(60))
    found = standing(report, days)
    assert found.alarm.startswith("drift")
    lost = [DayScore(day.day, day.pinball | {"persistence": 0.0}, day.cover) for day in days]
    assert not standing(report, lost).serves


def test_a_kept_model_says_the_same_and_carries_its_card(trained):
    _, features, model, report = trained
    data, card = kept.packed(model, report)
    again, told = kept.opened(data, card, features.names)
    np.testing.assert_array_equal(again.predict(features), model.predict(features))
    assert repr(told.scores) == repr(report.scores)
    assert card["features"] == ["speed", "hour"]
    assert card["versions"]["scikit-learn"]
    assert card["known_until"] == "2026-02-20T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"digest": "0" * 64}, "mismatch"),
        ({"form": 99}, "unknown_form"),
        ({"versions": {"scikit-learn": "0.1"}}, "mismatch"),
        ({"levels": [0.5]}, "mismatch"),
        ({"features": ["speed"]}, "mismatch"),
    ],
)
def test_a_model_that_does_not_fit_its_card_is_refused(trained, change, code):
    _, features, model, report = trained
    data, card = kept.packed(model, report)
    with pytest.raises(InvalidInput) as error:
        kept.opened(data, sealed(card | change), features.names)
    assert {fault.code for fault in error.value.faults} == {code}


def test_a_file_with_strange_types_is_refused_before_anything_is_built(trained):
    from skops import io as skops_io

    _, _, model, report = trained
    _, card = kept.packed(model, report)
    data = skops_io.dumps({"boosted": [DAY.__class__]})
    with pytest.raises(InvalidInput, match="no model of ours"):
        kept.opened(data, sealed(card | {"digest": hashlib.sha256(data).hexdigest()}))


def test_a_card_that_was_edited_or_lost_a_line_is_refused_whatever_it_is(trained):
    """Also where it would change no answer: praise that was never earned is as false."""
    _, _, model, report = trained
    data, card = kept.packed(model, report)
    for name, value in card.items():
        for edited in ({k: v for k, v in card.items() if k != name}, card | {name: [value]}):
            with pytest.raises(InvalidInput) as error:
                kept.opened(data, edited)
            assert {fault.code for fault in error.value.faults} <= {"mismatch", "unknown_form"}
            assert "train" in str(error.value)
    assert kept.opened(data, json.loads(json.dumps(card)))


def test_what_is_no_archive_is_refused_even_under_its_own_digest(trained):
    _, _, model, report = trained
    data, card = kept.packed(model, report)
    cut = data[: len(data) // 2]
    with pytest.raises(InvalidInput, match="no file of a model"):
        kept.opened(cut, sealed(card | {"digest": hashlib.sha256(cut).hexdigest()}))


def test_features_of_another_site_are_refused(trained):
    _, features, model, _ = trained
    other = Features(("speed", "minute"), features.values, features.awake)
    with pytest.raises(InvalidInput, match="train it anew"):
        model.predict(other)


def test_neighbours_stay_inside_a_run_unless_a_contest_allows_more(trained):
    rows: Rows = trained[0].rows
    values = np.arange(len(rows), dtype=float)
    assert rows.shifted(values, 1)[22:26].tolist() == [23, 23, 25, 26]
    assert replace(rows, across_runs=True).shifted(values, 1)[22:26].tolist() == [23, 24, 25, 26]
    assert rows.around(values, 1)[:, 0].tolist() == [0, 0, 1]
