"""Instruments of the simulated site: the catalogue's names, modest noise, and the faults that were ordered."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.catalogue import METRICS
from ingest.site_file import read_site, sample_path
from models.horizon import use_packaged_time_zones
from models.plant.faults import KINDS, FaultySensors, SensorFault, drawn_faults, fits
from models.plant.meters import Reading, measured, readings
from models.plant.nature import Air
from models.plant.orders import JobOrder, Orders
from models.plant.scenarios import Works
from models.plant.step import Plant

use_packaged_time_zones()
SITE = read_site(sample_path("dakhla"))
ORDERS = Orders((JobOrder("a", "h100-a", 4000, "pretrain", 700.0),), {"bess-1": 3.0})
STATE, FLOWS = Plant(SITE).step(
    Plant(SITE).at_rest(datetime(2026, 6, 1, 12, tzinfo=UTC)), ORDERS, Air(9.0, 4.0, 24.0, 18.0), Works(1, 1), 10
)
TRUE = readings(SITE, STATE, FLOWS)
TAGS = (("asset", "bess-1"), ("site", "dakhla"))


def test_every_reading_is_a_metric_of_the_catalogue_with_its_tags():
    for row in TRUE:
        known = METRICS[row.metric]
        assert set(known.tags) <= {name for name, _ in row.tags}, row
        assert known.low <= row.value <= known.high, row
    assert len({(row.metric, row.tags) for row in TRUE}) == len(TRUE)


def test_a_nodes_meter_shows_its_gpus_and_their_host():
    gpus = [row.value for row in TRUE if row.metric == "gpu.power_w" and ("pool", "h100-a") in row.tags]
    node = next(row.value for row in TRUE if row.metric == "node.power_w" and ("pool", "h100-a") in row.tags)
    assert len(gpus) == 8
    assert node == pytest.approx(sum(gpus) + 8 * FLOWS.shown["h100-a"].host_w)


def test_noise_is_small_seeded_and_spares_what_is_exact():
    first = measured(TRUE, np.random.default_rng(3))
    assert first == measured(TRUE, np.random.default_rng(3))
    for true, told in zip(TRUE, first, strict=True):
        if true.exact or true.value == 0:
            assert told.value == true.value
        elif not true.field.endswith("_c"):
            assert told.value == pytest.approx(true.value, rel=0.03)
        else:
            assert told.value == pytest.approx(true.value, abs=2.0)


def swept(kind, values, begins=10.0, ends=20.0):
    fault = SensorFault(kind, "battery.power_mw", TAGS, begins, ends)
    sensors = FaultySensors([fault])
    return [sensors.sweep([Reading("battery", TAGS, "power_mw", value)], 10.0 * k) for k, value in enumerate(values)]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("stuck", [1.0, 2.0, 2.0, 4.0]),
        ("unit_up", [1.0, 2000.0, 3000.0, 4.0]),
        ("unit_down", [1.0, 0.002, 0.003, 4.0]),
        ("fahrenheit", [1.0, 35.6, 37.4, 4.0]),
        ("sign", [1.0, -2.0, -3.0, 4.0]),
        ("spike", [1.0, 74.0, 3.0, 4.0]),
        ("reset", [1.0, 0.0, 1.0, 2.0]),
    ],
)
def test_faults_change_values_while_they_last(kind, told):
    assert [rows[0].reading.value for rows in swept(kind, [1.0, 2.0, 3.0, 4.0])] == pytest.approx(told)


def test_silence_and_clocks_and_no_numbers():
    assert [len(rows) for rows in swept("silence", [1.0, 2.0, 3.0, 4.0])] == [1, 0, 0, 1]
    assert [rows[0].time_s for rows in swept("past", [1.0, 2.0, 3.0, 4.0])] == [0.0, -1790.0, -1780.0, 30.0]
    assert [rows[0].time_s for rows in swept("future", [1.0, 2.0, 3.0, 4.0])] == [0.0, 910.0, 920.0, 30.0]
    assert math.isnan(swept("nan", [1.0, 2.0])[1][0].reading.value)


def test_drawn_faults_are_seeded_possible_and_one_a_series():
    found = drawn_faults(TRUE, 6 * 3600.0, 20.0, np.random.default_rng(5), 1800.0)
    assert found == drawn_faults(TRUE, 6 * 3600.0, 20.0, np.random.default_rng(5), 1800.0)
    rows = {(row.metric, row.tags): row for row in TRUE}
    assert len({(fault.metric, fault.tags) for fault in found}) == len(found) > 50
    assert {fault.kind for fault in found} <= set(KINDS)
    assert all(fits(fault.kind, rows[(fault.metric, fault.tags)]) for fault in found)
    assert min(fault.begins_s for fault in found) >= 1800.0
