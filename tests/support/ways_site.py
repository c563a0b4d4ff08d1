"""The sample hall split into two pools, with a partner, checkpoint storage, tenants and elastic gangs."""

from __future__ import annotations

import tomllib
from typing import Any

from ingest.site_file import resolved_site, sample_path
from models.jobs import TrainingJob
from models.site import Site

PARTNER: dict[str, Any] = {
    "name": "cloud",
    "gpu": "H100-SXM",
    "gpus": 64,
    "price_per_gpu_h": 20.0,
    "start_delay_minutes": 50.0,
    "egress_cost_per_job": 100.0,
    "jurisdiction": "FR",
}
TENANTS = [{"name": "clinic", "residency": ["MA"]}, {"name": "thrift", "may_rent": False}]


def raw_site(**more: Any) -> dict[str, Any]:
    """Two pools of 48 and 32 GPUs of one kind; a horizon of 6 h in half hours."""
    raw: dict[str, Any] = tomllib.loads(sample_path("local").read_text(encoding="utf-8"))
    hall = raw["pools"][0]
    raw["pools"] = [{**hall, "name": "hall", "gpus": 48}, {**hall, "name": "annex", "gpus": 32}]
    raw["feeds"] = [{"name": "ups", "pools": ["hall", "annex"], "limit_mw": 0.105}]
    raw["shed_groups"] = [{"name": "stop", "pools": ["hall", "annex"], "seconds": 120}]
    raw["planning"] = {"horizon_h": 6.0, "step_minutes": 30, "time_limit_s": 10.0}
    raw |= {"jurisdiction": "MA", "partners": [PARTNER], "tenants": TENANTS}
    raw["storage"] = {"gb_per_s": 0.5, "over_cost_per_gb": 2.0}
    raw.pop("synthetic", None)
    return raw | more


def ways_site(**more: Any) -> Site:
    """That site, checked."""
    return resolved_site(raw_site(**more))


def ways_job(name: str = "a", **more: Any) -> TrainingJob:
    """A job of 16 GPUs and 2 h in the hall."""
    body = {"id": name, "pool": "hall", "gpus": 16, "work_h": 2.0, "release": "2026-11-25T06:00:00Z"}
    return TrainingJob.model_validate(body | more)
