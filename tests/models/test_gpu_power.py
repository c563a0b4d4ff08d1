"""Cap W, drawn W and speed: envelopes, levels and the catalogue's own curves."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.site_file import gpu_rows
from models.checking import validated
from models.errors import InvalidInput
from models.gpu_power import (
    LEAST_DRAWN_SHARE,
    CapPoint,
    GpuModel,
    drawn_at_limit_w,
    envelope,
    full_w,
    levels,
    limit_for_drawn_w,
    speed_at_limit,
)

MODELS = [validated(GpuModel, row, row["key"]) for row in gpu_rows()]
A100 = next(model for model in MODELS if model.key == "A100-SXM-400W")
CURVES = [pytest.param(model, curve, id=f"{model.key}-{curve.workload}") for model in MODELS for curve in model.curves]

points = st.lists(st.tuples(st.integers(1, 2000), st.integers(0, 1000)), min_size=1, max_size=12).map(
    lambda rows: [CapPoint(limit_w=float(w), drawn_w=float(w), speed=s / 1000) for w, s in rows]
)


@given(points)
def test_an_envelope_rises_is_concave_and_covers_every_point(given_points):
    found = envelope(given_points)
    kept = found.points
    assert all(a.drawn_w < b.drawn_w and a.speed < b.speed for a, b in pairwise(kept))
    slopes = [(b.speed - a.speed) / (b.drawn_w - a.drawn_w) for a, b in pairwise(kept)]
    assert all(low <= high + 1e-9 for high, low in pairwise(slopes))
    assert len(kept) + len(found.dropped) == len(given_points)
    for point in given_points:
        over = [
            a.speed + (b.speed - a.speed) * (point.drawn_w - a.drawn_w) / (b.drawn_w - a.drawn_w)
            for a, b in pairwise(kept)
            if a.drawn_w <= point.drawn_w <= b.drawn_w
        ]
        assert (
            point.speed
            <= max([kept[-1].speed if point.drawn_w >= kept[-1].drawn_w else 0, *over, kept[0].speed]) + 1e-9
        )


@given(points)
def test_an_envelope_of_an_envelope_drops_nothing(given_points):
    once = envelope(given_points).points
    assert envelope(once).points == once
    assert envelope(once).dropped == ()


def test_the_a100s_pretraining_point_at_350_w_is_dropped_and_named():
    found = envelope(A100.curve("pretrain").points)
    assert [p.limit_w for p in found.points] == [100, 200, 250, 300, 400]
    assert [(p.limit_w, why) for p, why in found.dropped] == [(350, "lies under the line from 291.3 W to 382.1 W")]


def test_levels_of_a_gang_by_hand():
    found = levels(64, A100, "pretrain", host_w_per_gpu=198)
    assert found[0] == {"limit_w": 100, "power_mw": pytest.approx(64 * (101.5 + 198) / 1e6), "speed": 0.186}
    assert found[-1] == {"limit_w": 400, "power_mw": pytest.approx(64 * (382.1 + 198) / 1e6), "speed": 1.0}
    assert levels(64, A100, "pretrain") == found  # the catalogue's host share is Acme's 198 W


@given(st.sampled_from(MODELS), st.floats(20.0, 2000.0))
def test_a_job_that_draws_otherwise_keeps_its_speeds_and_never_exceeds_a_limit(model, drawn_w):
    for curve in model.curves:
        found = levels(8, model, curve.workload, 100.0, drawn_w)
        assert found[-1]["speed"] == 1.0
        for level in found:
            assert level["power_mw"] <= 8 * (level["limit_w"] + 100.0) / 1e6 + 1e-9
        assert all(a["power_mw"] < b["power_mw"] and a["speed"] < b["speed"] for a, b in pairwise(found))
        least = LEAST_DRAWN_SHARE * full_w(model, curve.workload)
        assert found[-1]["power_mw"] >= 8 * (min(max(drawn_w, least), found[-1]["limit_w"]) + 100.0) / 1e6 - 1e-9


def test_levels_of_a_job_that_draws_four_fifths_by_hand():
    """Every draw is 0.8 of the curve's, under the same limits; 900 W would be above the 400 W of the highest."""
    full, own = levels(1, A100, "pretrain", 0.0), levels(1, A100, "pretrain", 0.0, 0.8 * full_w(A100, "pretrain"))
    assert own[-1]["power_mw"] == pytest.approx(0.8 * full[-1]["power_mw"])
    assert own[0]["power_mw"] == pytest.approx(0.8 * full[0]["power_mw"])
    assert [level["limit_w"] for level in own] == [level["limit_w"] for level in full]
    over = levels(1, A100, "pretrain", 0.0, 900.0)
    assert over[-1]["power_mw"] == pytest.approx(400e-6), "no job draws more than its limit"


def test_interpolation_between_two_caps_by_hand():
    # 350 W was dropped: half way from 300 W (291.3 W, 0.867) to 400 W (382.1 W, 1.0)
    assert drawn_at_limit_w(A100, "pretrain", 350) == pytest.approx((291.3 + 382.1) / 2)
    assert speed_at_limit(A100, "pretrain", 350) == pytest.approx((0.867 + 1) / 2)
    assert limit_for_drawn_w(A100, "pretrain", (291.3 + 382.1) / 2) == 350
    assert limit_for_drawn_w(A100, "pretrain", 337.1) == 350  # 350.4 rounded down to whole watts
    assert limit_for_drawn_w(A100, "pretrain", 9999) == 400


@given(st.sampled_from(MODELS), st.floats(50, 1300))
def test_limit_and_drawn_watts_undo_each_other(model, limit_w):
    for curve in model.curves:
        ends = envelope(curve.points).points
        inside = min(max(limit_w, ends[0].limit_w), ends[-1].limit_w)
        back = limit_for_drawn_w(model, curve.workload, drawn_at_limit_w(model, curve.workload, inside))
        assert inside - model.limit_step_w - 1e-6 <= back <= inside + 1e-6


@pytest.mark.parametrize(("model", "curve"), CURVES)
def test_every_curve_of_the_catalogue_gives_levels_that_the_contract_accepts(model, curve):
    found = levels(8, model, curve.workload)
    assert found[-1]["speed"] == 1.0
    assert all(a["power_mw"] < b["power_mw"] and a["speed"] < b["speed"] for a, b in pairwise(found))
    slopes = [(b["speed"] - a["speed"]) / (b["power_mw"] - a["power_mw"]) for a, b in pairwise(found)]
    assert all(high >= low for high, low in pairwise(slopes))
    assert all(model.min_limit_w <= level["limit_w"] <= model.max_limit_w for level in found)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_every_row_of_the_catalogue_says_where_it_is_from(model):
    for what in ("limits", "idle", "host"):
        assert getattr(model, f"{what}_source").strip()
        assert getattr(model, f"{what}_evidence") in ("measured", "prior", "assumed")
    for curve in model.curves:
        assert curve.source.strip()
        assert (curve.evidence == "measured") == (model.key in ("A100-SXM-400W", "V100", "A40"))


def test_a_workload_without_a_curve_takes_the_first():
    v100 = next(model for model in MODELS if model.key == "V100")
    assert v100.curve("inference") is v100.curves[0]


def test_points_out_of_order_outside_the_limits_and_below_full_speed_are_all_named():
    row = {**gpu_rows()[0], "curves": [dict(gpu_rows()[0]["curves"][0]), dict(gpu_rows()[0]["curves"][1])]}
    row["curves"][0]["points"] = [
        {"limit_w": 300, "drawn_w": 290, "speed": 0.9},
        {"limit_w": 200, "drawn_w": 195, "speed": 0.8},
    ]
    with pytest.raises(InvalidInput) as caught:
        validated(GpuModel, row, "the row")
    assert [fault.pointer for fault in caught.value.faults] == [
        "curves[0].points[1].drawn_w",
        "curves[0].points[1].limit_w",
        "curves[0].points[1].speed",
        "curves[0].points[1].speed",
    ]


def test_the_a100_rows_are_the_means_of_the_published_sweep():
    path = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gpu" / "power_cap_curves.csv"
    if not path.exists():
        pytest.skip(f"{path.name} of the shared data is not here")
    rows = [r for r in csv.DictReader(path.open()) if r["gpu"].startswith("A100-SXM4")]
    for workload, theirs in (("pretrain", "pretrain"), ("finetune", "finetune"), ("inference", "batch_inference")):
        for point in A100.curve(workload).points:
            same = [r for r in rows if r["workload_class"] == theirs and float(r["cap_w"]) == point.limit_w]
            assert point.speed == pytest.approx(sum(float(r["rel_throughput"]) for r in same) / len(same), abs=6e-4)
            assert point.drawn_w == pytest.approx(sum(float(r["avg_power_w"]) for r in same) / len(same), abs=0.06)
