"""Classes of identical entries: nothing but id and tenant may differ."""

from __future__ import annotations

import random
import time
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from optimizer.aggregate import classes_of
from optimizer.problem import Entry
from optimizer.stability import Published
from optimizer.ways import Way

GANG = Entry(
    id="a",
    pool=0,
    gpus=8,
    count=1,
    work_h=3.0,
    due_h=3.0,
    power=np.array([0.004, 0.006, 0.008]),
    speed=np.array([0.6, 0.85, 1.0]),
    limit_w=(300.0, 500.0, 700.0),
    first=0,
    last=96,
    deadline=96,
    late_cost=None,
    unmet_cost=24.0,
    value=0.0,
    preemptible=True,
    loss_h=0.1,
    start_cost=0.0,
    min_run=1,
    min_pause=1,
    max_pauses=None,
    state="queued",
    on_before=0,
    ran=0,
    pinned=None,
    held=False,
    tenant="x",
)

# for every field but the two names, another value
OTHER: dict[str, Any] = {
    "pool": None,
    "gpus": 16,
    "count": 2,
    "work_h": 3.0000001,
    "due_h": 2.0,
    "power": np.array([0.004, 0.006, 0.0081]),
    "speed": np.array([0.6, 0.86, 1.0]),
    "limit_w": (300.0, 500.0, None),
    "first": 1,
    "last": 95,
    "deadline": 97,
    "late_cost": 0.0,
    "unmet_cost": None,
    "value": 1.0,
    "preemptible": False,
    "loss_h": 0.0,
    "start_cost": 1.0,
    "min_run": 2,
    "min_pause": 2,
    "max_pauses": 0,
    "state": "paused",
    "on_before": 1,
    "ran": 1,
    "pinned": 0,
    "after": ("another",),
    "held": True,
    "share": (3, 3),
    "published": Published((1, 0), (0.5, 0.0), (2.0, 2.0), (0.0, 0.0), 2, 0, (2.0, 0.0, 0.0)),
    "ways": (Way("a@hall/8", 0, 8, np.array([0.008]), np.array([1.0]), (None,), 0),),
    "resize_loss_h": 0.5,
    "checkpoint_gb": 9.0,
    "checkpoint_slots": 3,
    "exiled": True,
    "surplus": True,
    "clock_mhz": (1000.0, 1200.0, 1400.0),
}


def copy(name: str, **changes: Any) -> Entry:
    """The gang under another id, with arrays of its own."""
    return replace(GANG, **{"id": name, "power": GANG.power.copy(), "speed": GANG.speed.copy(), **changes})


def test_two_that_differ_by_id_and_tenant_alone_are_one_class() -> None:
    assert classes_of([GANG, copy("b", tenant="y"), copy("c", tenant=None)]) == [[0, 1, 2]]


@pytest.mark.parametrize("field", [f.name for f in fields(Entry) if f.name not in ("id", "tenant")])
def test_any_other_difference_parts_two_entries(field: str) -> None:
    assert classes_of([GANG, copy("b", **{field: OTHER[field]})]) == [[0], [1]]


def test_a_curve_of_fewer_levels_is_another_curve() -> None:
    # the five numbers of both curves are the same, only their border moved
    two = copy("b", power=np.array([1.0, 2.0]), speed=np.array([0.5, 1.0]), limit_w=(None, None))
    one = copy("c", power=np.array([1.0]), speed=np.array([1.0]), limit_w=(None,))
    assert classes_of([two, one, copy("d", power=two.power, speed=two.speed, limit_w=two.limit_w)]) == [[0, 2], [1]]


def test_members_rise_and_classes_come_by_their_first_member() -> None:
    small, large = {"gpus": 8}, {"gpus": 64}
    entries = [copy(str(k), **kind) for k, kind in enumerate([large, small, large, {"gpus": 32}, small, large])]
    assert classes_of(entries) == [[0, 2, 5], [1, 4], [3]]


def test_no_entries_have_no_classes() -> None:
    assert classes_of([]) == []


def test_every_entry_is_in_one_class_and_a_class_is_alike() -> None:
    draw = random.Random(4)
    entries = [copy(str(k), gpus=draw.choice([8, 16]), first=draw.randrange(4)) for k in range(300)]
    classes = classes_of(entries)
    assert sorted(k for members in classes for k in members) == list(range(300))
    kinds = [{(entries[k].gpus, entries[k].first) for k in members} for members in classes]
    assert all(len(kind) == 1 for kind in kinds)
    assert len(classes) == len(set.union(*kinds))


def test_ten_thousand_entries_take_a_blink() -> None:
    entries = [copy(str(k), work_h=float(k % 700)) for k in range(10_000)]
    took = []
    for _ in range(3):
        began = time.process_time()
        assert len(classes_of(entries)) == 700
        took.append(time.process_time() - began)
    print(f"{min(took) * 1e3:.1f} ms")
    assert min(took) < 0.05
