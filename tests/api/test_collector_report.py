"""The collector's state reaches /metrics, and a missing or torn report harms nothing."""

from __future__ import annotations

import json

from api.collector_report import read_report, write_report
from api.metrics import source_metrics

TOLD = {
    "sources": [
        {"name": "pdu", "polls": 9, "failures": 2, "failing": 1, "age_s": 30.5, "hanging_s": None, "points": 70,
         "pause_s": 20.0, "last_error": "no route"},
        {"name": "new", "polls": 0, "failures": 0, "failing": 0, "age_s": None, "hanging_s": 4.0, "points": 0,
         "pause_s": 0.0, "last_error": ""},
    ],
    "waiting": 5, "dropped": 3, "refused": 1, "judged": 1000, "flagged": {"range": 4}, "silent": 2,
    "store_error": "",
}  # fmt: skip


def samples(told):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in source_metrics(told)
        for sample in family.samples
    }


def test_sources_waiting_points_and_flags_are_told():
    found = samples(TOLD)
    assert found[("chergui_source_up", "pdu")] == 0
    assert found[("chergui_source_up", "new")] == 1
    assert found[("chergui_source_polls_total", "pdu")] == 9
    assert found[("chergui_source_failures_total", "pdu")] == 2
    assert found[("chergui_source_points_total", "pdu")] == 70
    assert found[("chergui_source_age_seconds", "pdu")] == 30.5
    assert ("chergui_source_age_seconds", "new") not in found  # it has never said anything
    assert found[("chergui_source_pause_seconds", "pdu")] == 20
    assert found[("chergui_source_hanging_seconds", "new")] == 4
    assert found[("chergui_collector_waiting_points",)] == 5
    assert found[("chergui_collector_dropped_points_total",)] == 3
    assert found[("chergui_collector_refused_points_total",)] == 1
    assert found[("chergui_telemetry_flags_total", "range")] == 4
    assert found[("chergui_telemetry_silent_series",)] == 2


def test_a_report_is_written_whole_and_read_back(tmp_path):
    path = tmp_path / "collector.json"
    assert read_report(path) is None
    write_report(path, TOLD)
    assert read_report(path) == json.loads(json.dumps(TOLD))
    assert list(tmp_path.iterdir()) == [path]
    path.write_text('{"sources": [')
    assert read_report(path) is None
    assert samples(None) == {}
