"""Contradictions of version 1.1 that are told before any solver starts."""

from __future__ import annotations

from typing import Any

import pytest
from small_day import at, battery, compiled, day

from optimizer.preflight import conflicts

LOAD = {"base_load_mw": [2.0] * 4}
EVENT = {"id": "dr", "start": at(1), "end": at(3), "most_import_mw": 0.5}


def told(**more: Any) -> str:
    found = conflicts(compiled(day(schema_version="1.1", **more)))
    assert len(found) <= 1, found
    return "".join(found)


def test_a_reserve_that_no_charging_reaches_in_time() -> None:
    # from one, 0.9 more in each hour: 1.9 at the end of slot 0, two at the end of slot 1
    text = told(batteries=[battery(reserve_mwh=2.0)])
    assert "battery store must hold 2 MWh at 2026-11-09T01:00:00Z" in text
    assert "at most 1.9 MWh" in text


@pytest.mark.parametrize(
    "more", [{"reserve_mwh": [0.0, 2.0, 2.0, 2.0]}, {"reserve_mwh": 2.0, "below_reserve_cost_per_mwh_h": 1.0}]
)
def test_a_reserve_that_is_reached_or_has_a_price_is_no_contradiction(more: dict[str, Any]) -> None:
    assert told(batteries=[battery(**more)]) == ""


def test_a_target_below_what_must_be_imported() -> None:
    text = told(series=LOAD, events=[EVENT], batteries=[battery()])
    assert "event dr allows 0.5 MW of net import at 2026-11-09T01:00:00Z" in text
    assert "draw 1 MW more" in text


@pytest.mark.parametrize(
    "more",
    [
        {"events": [EVENT | {"cost_per_mwh": 1.0}]},
        {"events": [EVENT], "generators": [{"name": "set", "power_mw": 1.5}]},
        {"events": [EVENT], "batteries": [battery(power_mw=1.5)]},
        {"events": [EVENT | {"start": at(5), "end": at(6)}]},
    ],
)
def test_a_target_that_can_be_kept_or_has_a_price_is_no_contradiction(more: dict[str, Any]) -> None:
    assert told(series=LOAD, **more) == ""


def test_a_service_at_its_least_counts_for_a_target() -> None:
    chat = {"name": "chat", "power_mw": [1.0] * 4, "min_power_mw": 0.5, "below_nominal_cost_per_mwh": 9.0}
    assert told(events=[EVENT], inference=[chat]) == ""
    assert "draw 0.75 MW more" in told(events=[EVENT], inference=[chat | {"min_power_mw": 0.75}])
