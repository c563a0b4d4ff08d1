"""Ways in which a site lets a job run: which there are, how fast they are, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ways_site import PARTNER, raw_site, ways_job, ways_site

from ingest.site_file import resolved_site
from models.errors import InvalidInput
from models.job_ways import MOST_WAYS, chooses, gang_sizes, may_rent, residency_of, way_faults, ways_of
from models.site import Site

SITE = ways_site()


def named(site: Site = SITE, **job: Any) -> list[tuple[str, int]]:
    return [(way.place.name, way.gpus) for way in ways_of(ways_job(**job), site)]


def codes(site: Site = SITE, **job: Any) -> dict[str, str]:
    return {fault.pointer: fault.code for fault in way_faults(ways_job(**job), site)}


def test_a_job_that_names_nothing_has_its_own_way_alone() -> None:
    assert named() == [("hall", 16)]
    assert not chooses(ways_job())


def test_pools_partners_and_gangs_are_crossed_and_its_own_way_comes_first() -> None:
    found = named(pools=["annex"], gpus_min=8, gpus_max=48, may_rent=True)
    # 16 is halved to 8 and doubled to 32, not to 64; the annex has 32 GPUs, the cloud 64
    assert found[0] == ("hall", 16)
    assert sorted(found) == sorted((pool, gpus) for pool in ("hall", "annex", "cloud") for gpus in (8, 16, 32))


def test_a_gang_is_listed_or_halved_and_doubled() -> None:
    assert gang_sizes(ways_job(gang_sizes=[24, 8, 16])) == (16, 24, 8)
    assert gang_sizes(ways_job(gpus=48, gpus_min=10)) == (48, 24, 12)
    assert gang_sizes(ways_job(gpus=12, gpus_min=1)) == (12, 6, 3)


def test_speed_follows_the_gang_by_the_exponent_and_the_gpu_by_its_relative_speed() -> None:
    def speeds(site: Site, **job: Any) -> dict[tuple[str, int], float]:
        return {(way.place.name, way.gpus): way.speed for way in ways_of(ways_job(gpus_min=8, **job), site)}

    # 0.5^0.9 = 0.53589; the job's own exponent wins over the site's
    assert speeds(SITE)["hall", 8] == pytest.approx(0.5358867)
    assert speeds(SITE, gang_exponent=1.0)["hall", 8] == 0.5
    assert speeds(ways_site(elastic={"gang_exponent": 0.5}))["hall", 8] == pytest.approx(0.70710678)
    raw = raw_site(partners=[])
    raw["pools"][0]["relative_speed"] = 2.0
    raw["pools"][1] |= {"gpu": "A100-SXM-400W", "relative_speed": 1.0}
    raw["pools"][1]["default"] = {"limit_w": 200.0}
    other = speeds(resolved_site(raw), pools=["annex"])
    assert other["annex", 16] == 0.5
    assert other["annex", 8] == pytest.approx(0.5 * 0.5358867)


@given(gpus=st.integers(1, 48), gang=st.integers(1, 48), exponent=st.floats(0.05, 1.0))
def test_more_gpus_are_never_slower_and_never_faster_than_in_proportion(gpus: int, gang: int, exponent: float) -> None:
    job = ways_job(gpus=gpus, gang_sizes=[gang], gang_exponent=exponent)
    speed = {way.gpus: way.speed for way in ways_of(job, SITE)}[gang]
    assert min(1.0, gang / gpus) - 1e-12 <= speed <= max(1.0, gang / gpus) + 1e-12


def test_a_running_job_stays_where_it_is_unless_it_may_move() -> None:
    free = {"pools": ["annex"], "gpus_min": 8, "may_rent": True, "state": "running"}
    assert named(**free) == [("hall", 16)]
    assert named(**free, resizable=True) == [("hall", 16), ("hall", 8)]
    assert ("cloud", 8) in named(**free, preemptible=True)
    there = {**free, "running_pool": "cloud", "running_gpus": 8}
    assert named(**there) == [("cloud", 8)]
    assert named(**there, preemptible=True)[0] == ("cloud", 8)
    assert ("hall", 16) in named(**there, preemptible=True)


def test_tenants_and_jobs_narrow_where_a_job_may_be() -> None:
    anywhere = {"may_rent": True, "pools": ["annex"]}
    assert residency_of(ways_job(), SITE) is None
    assert residency_of(ways_job(tenant="clinic"), SITE) == ("MA",)
    assert residency_of(ways_job(tenant="clinic", residency=["FR", "MA"]), SITE) == ("MA",)
    assert ("cloud", 16) in named(**anywhere)
    assert ("cloud", 16) not in named(**anywhere, tenant="clinic")
    assert not may_rent(ways_job(**anywhere, tenant="thrift"), SITE)
    assert ("cloud", 16) not in named(**anywhere, tenant="thrift")
    assert named(**anywhere, residency=["FR"]) == [("hall", 16), ("cloud", 16)], "its own way is told, and closed"


@pytest.mark.parametrize(
    ("job", "found"),
    [
        ({"pool": "attic"}, {"pool": "unknown_pool"}),
        ({"pool": "cloud"}, {"pool": "unknown_pool"}),
        ({"pools": ["annex", "cloud"]}, {"pools[1]": "unknown_pool"}),
        ({"gpus": 49}, {"gpus": "larger_than_pool"}),
        ({"gpus": 40, "pools": ["annex"]}, {"pools[0]": "larger_than_pool"}),
        ({"residency": ["DE"], "may_rent": True}, {"residency": "nothing_open"}),
        ({"residency": ["FR"], "tenant": "clinic"}, {"residency": "nothing_open"}),
        ({"residency": ["FR"], "may_rent": True, "state": "running"}, {"residency": "runs_elsewhere"}),
        ({"state": "running", "running_pool": "attic"}, {"running_pool": "unknown_pool"}),
        ({"state": "running", "running_gpus": 50}, {"running_gpus": "larger_than_pool"}),
    ],
)
def test_what_the_site_cannot_give_is_refused_by_place(job: dict[str, Any], found: dict[str, str]) -> None:
    assert codes(**job) == found


def test_a_checkpoint_that_no_slot_takes_is_refused_unless_more_has_a_price() -> None:
    # 0.5 GB/s over half an hour are 900 GB
    hard = ways_site(storage={"gb_per_s": 0.5})
    assert codes(hard, checkpoint_gb=901.0) == {"checkpoint_gb": "larger_than_slot"}
    assert codes(hard, checkpoint_gb=900.0) == {}
    assert codes(checkpoint_gb=901.0) == {}


def test_ways_are_counted() -> None:
    many = {"gang_sizes": [1, 2, 3, 4, 5, 6, 7, 8], "pools": ["annex"], "may_rent": True}
    assert len(named(**many)) == 27 > MOST_WAYS
    assert codes(**many) == {"gang_sizes": "too_many_ways"}


def test_other_gpus_need_a_relative_speed() -> None:
    raw = raw_site(partners=[])
    raw["pools"][1] |= {"gpu": "A100-SXM-400W", "default": {"limit_w": 200.0}}
    found = codes(resolved_site(raw), pools=["annex"])
    assert found == {"pools[0]": "speed_unknown"}
    with pytest.raises(InvalidInput) as refused:
        ways_site(partners=[PARTNER | {"gpu": "H200-SXM"}])
    assert {f.pointer for f in refused.value.faults} == {
        f"{place}.relative_speed" for place in ("pools[0]", "pools[1]", "partners[0]")
    }


@pytest.mark.parametrize(
    ("change", "place", "word"),
    [
        ({"partners": [PARTNER | {"name": "hall"}]}, "partners[0].name", "hall"),
        ({"partners": [PARTNER | {"gpu": "H100-SMX"}]}, "partners[0].gpu", "H100-SXM"),
        ({"partners": [PARTNER | {"price_per_gpu_h": -1.0}]}, "partners[0].price_per_gpu_h", "-1"),
        (
            {"partners": [{k: v for k, v in PARTNER.items() if k != "price_per_gpu_h"}]},
            "partners[0].price_per_gpu_h",
            "add",
        ),
        ({"tenants": [{"name": "x"}]}, "tenants[0].residency", "residency"),
        ({"tenants": [{"name": "x", "may_rent": False}] * 2}, "tenants[1].name", "x"),
        ({"storage": {"gb_per_s": 0.0}}, "storage.gb_per_s", "0"),
        ({"storage": {"gb_s": 1.0}}, "storage.gb_s", "gb_per_s"),
        ({"elastic": {"gang_exponent": 1.2}}, "elastic.gang_exponent", "1.2"),
    ],
)
def test_what_is_wrong_in_the_site_file_is_told_by_its_place(change: dict[str, Any], place: str, word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ways_site(**change)
    assert word in " ".join(f.message for f in refused.value.faults if f.pointer == place), refused.value.faults
