"""A made edition for the pages' tests: a small schedule by rule whose every slot balances.

It is no optimum and does not claim to be one; it is consistent, so that pages show sums that agree.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from models.horizon import rfc3339
from optimizer.document import digest, parse_plan, parse_problem

START = datetime(2026, 11, 25, 6, tzinfo=UTC)
_PRIORITIES = ("high", "normal", "low")
_WORKLOADS = ("pretrain", "finetune", "inference")


def made_edition(
    start: datetime = START,
    *,
    slots: int = 144,
    step_minutes: int = 15,
    zone: str = "Africa/El_Aaiun",
    jobs: int = 24,
    gap: float | None = 0.031,
    currency: str = "MAD",
) -> dict[str, Any]:
    """An edition of ``slots`` slots with two pools, PV, wind, one battery and ``jobs`` jobs."""
    step = timedelta(minutes=step_minutes)
    step_h = step_minutes / 60
    hours = [((start + k * step).hour + (start + k * step).minute / 60) for k in range(slots)]
    pv = [round(max(0.0, 17 * math.sin(math.pi * (h - 7) / 11)), 4) if 7 <= h <= 18 else 0.0 for h in hours]
    wind = [round(6 + 3 * math.sin(2 * math.pi * h / 24 + 2) + math.sin(k / 5), 4) for k, h in enumerate(hours)]
    price = [1400.0 if 17 <= h < 22 else 700.0 if 7 <= h < 17 else 500.0 for h in hours]
    problem: dict[str, Any] = {
        "schema_version": "1.0",
        "name": "made-day",
        "site": {"name": "dakhla", "timezone": zone, "currency": currency},
        "horizon": {"start": rfc3339(start), "step_minutes": step_minutes, "slots": slots},
        "series": {
            "pv_available_mw": pv,
            "wind_available_mw": wind,
            "base_load_mw": [1.2] * slots,
            "import_price_per_mwh": price,
            "export_price_per_mwh": [200.0] * slots,
            "carbon_kg_per_mwh": [620.0] * slots,
            "dry_bulb_c": [round(21 + 5 * math.sin(math.pi * (h - 9) / 12), 2) for h in hours],
            "wet_bulb_c": [round(17 + 2 * math.sin(math.pi * (h - 9) / 12), 2) for h in hours],
        },
        "grid": {"import_limit_mw": 20.0, "export_limit_mw": 4.0},
        "batteries": [
            {
                "name": "bess-1",
                "power_mw": 6.0,
                "energy_mwh": 24.0,
                "charge_efficiency": 0.96,
                "discharge_efficiency": 0.96,
                "soc_start_mwh": 10.0,
                "soc_min_mwh": 2.0,
            }
        ],
        "distribution_efficiency": 0.95,
        "pools": [
            {"name": "h100-a", "gpu": "H100-SXM", "gpus": 12288, "idle_w_per_gpu": 150.0},
            {"name": "b200-a", "gpu": "B200-SXM", "gpus": 6144, "idle_w_per_gpu": 220.0},
        ],
        "jobs": [],
    }
    labels: dict[str, Any] = {}
    placed: list[tuple[int, int]] = []
    for number in range(jobs):
        pool = "h100-a" if number % 3 else "b200-a"
        gpus = (1024, 1536, 2048)[number % 3]
        full = gpus * (1100 if pool == "h100-a" else 1600) / 1e6
        length = 8 + (number * 7) % 29
        begin = (number * 11) % max(1, slots - length - 6)
        job_id = f"{_WORKLOADS[number % 3][:2]}-{100 + number}"
        work_h = round(length * step_h * (0.9 if number % 2 else 1.0), 4)
        deadline = begin + length + (2 if number % 5 == 0 else 14 + number % 9)
        problem["jobs"].append(
            {
                "id": job_id,
                "pool": pool,
                "gpus": gpus,
                "work_h": round(work_h * 0.78, 4) if number not in (5, 12) else work_h,
                "levels": [
                    {"power_mw": round(full * 0.7, 6), "speed": 0.82, "limit_w": 420.0},
                    {"power_mw": round(full * 0.85, 6), "speed": 0.9, "limit_w": 540.0},
                    {"power_mw": round(full, 6), "speed": 1.0, "limit_w": 700.0},
                ],
                "release": rfc3339(start + max(0, begin - number % 12) * step),
                "deadline": rfc3339(start + min(slots, deadline) * step),
                "late_cost_per_h": 900.0,
                "unmet_cost_per_h": 1200.0,
                "preemptible": number % 4 == 0,
            }
        )
        labels[job_id] = {
            "priority": _PRIORITIES[number % 3 if number % 7 else 0],
            "workload": _WORKLOADS[number % 3],
            "synthetic": number != 4,
        }
        placed.append((begin, length))
    received = parse_problem(problem)
    plan = _plan(problem, placed, received.digest, battery=True, gap=gap)
    baseline = _plan(problem, placed, received.digest, battery=False, gap=None)
    saving = baseline["objective"] - plan["objective"]
    for document in (plan, baseline):
        parse_plan(document)
    hall = [round(24 + 0.15 * p, 2) for p in plan["series"]["heat_mw"]]
    return {
        "plan_id": "pln_01MADE",
        "plan_version": {"epoch": 1, "seq": 42},
        "site": "dakhla",
        "created_at": rfc3339(start + timedelta(minutes=1)),
        "valid_from": rfc3339(start),
        "valid_until": rfc3339(start + slots * step),
        "problem": problem,
        "plan": plan,
        "baseline": baseline,
        "baseline_note": None,
        "saving": {
            "baseline_cost": baseline["objective"],
            "cost": plan["objective"],
            "saving": saving,
            "saving_ratio": saving / baseline["objective"],
            "method": "first-come-first-served",
        },
        "sources": [
            {
                "series": series,
                "source": "made week, assumed climate",
                "synthetic": True,
                "issued_at": rfc3339(start - timedelta(hours=2)),
                "method": "climatology",
            }
            for series in ("pv_available_mw", "wind_available_mw", "dry_bulb_c", "import_price_per_mwh")
        ],
        "bands": {
            "pv_available_mw": {
                "p10": [round(0.8 * v, 4) for v in pv],
                "p50": pv,
                "p90": [round(1.1 * v, 4) for v in pv],
            },
            "wind_available_mw": {
                "p05": [round(0.5 * v, 4) for v in wind],
                "p10": [round(0.6 * v, 4) for v in wind],
                "p50": wind,
                "p90": [round(1.4 * v, 4) for v in wind],
                "p95": [round(1.6 * v, 4) for v in wind],
            },
        },
        "curves": [
            {"kind": "gpu", "name": "H100-SXM", "of": "pretrain", "evidence": "prior", "source": "A100 curve, moved"},
            {"kind": "gpu", "name": "B200-SXM", "of": "pretrain", "evidence": "measured", "source": "sweep of 3 May"},
            {
                "kind": "cooling",
                "name": "air",
                "of": "air-cooled-chiller",
                "evidence": "prior",
                "source": "catalogue",
                "error_mw": 0.0123,
                "error_ratio": 0.021,
            },
        ],
        "forecasts": {
            "pv_available_mw": {
                "kind": "physics",
                "step": "last run",
                "reason": "no answer in 10 s; the last run is of 2026-11-24T12:00:00Z, older than 12 h",
                "not_learned": "no model is trained",
                "known_since": "2026-11-24T12:00:00Z",
                "scores": None,
                "state": {
                    "used": True,
                    "why": "foretold 30 days, each from the day before, with a mean error of 2.1%; the physics alone "
                    "with 8.0%",
                    "as_of": "2026-11-25T00:00:00Z",
                    "level": 0.91,
                    "working": 0.97,
                    "soiling": 0.06,
                    "rate_per_day": 0.003,
                    "air": -0.01,
                    "spread": 0.012,
                    "days": 71,
                    "cleaned": "2026-11-05",
                    "lost": "2026-11-20",
                },
            },
            "wind_available_mw": {
                "kind": "learned",
                "step": "ensemble",
                "reason": "",
                "not_learned": None,
                "known_since": rfc3339(start),
                "scores": {
                    "days": 41,
                    "proven": False,
                    "beside": "physics",
                    "skill": 0.12,
                    "cover_p05_p95": 0.91,
                    "by_lead": [
                        {"from_h": 0.0, "to_h": 6.0, "skill": 0.21},
                        {"from_h": 6.0, "to_h": 12.0, "skill": 0.15},
                        {"from_h": 12.0, "to_h": 24.0, "skill": 0.11},
                        {"from_h": 24.0, "to_h": 36.0, "skill": -0.02},
                        {"from_h": 36.0, "to_h": None, "skill": None},
                    ],
                },
            },
        },
        "temperatures": {
            "dry_bulb_c": problem["series"]["dry_bulb_c"],
            "wet_bulb_c": problem["series"]["wet_bulb_c"],
            "hall_air_c": hall,
            "loop_supply_c": [30.0] * slots,
        },
        "limits": {"hall_air_recommended_c": 27.0, "hall_air_allowable_c": 32.0},
        "job_labels": labels,
        "charts": {},
    }


def _plan(
    problem: dict[str, Any], placed: list[tuple[int, int]], digest_of: str, *, battery: bool, gap: float | None
) -> dict[str, Any]:
    """Fixed starts; capped in dear hours where the battery is used; what lacks is imported."""
    start = datetime.fromisoformat(problem["horizon"]["start"])
    slots, step_h = problem["horizon"]["slots"], problem["horizon"]["step_minutes"] / 60
    step = timedelta(hours=step_h)
    price = problem["series"]["import_price_per_mwh"]
    it = [0.0] * slots
    used = {pool["name"]: [0] * slots for pool in problem["pools"]}
    jobs, unmet = [], []
    for number, (job, (begin, length)) in enumerate(zip(problem["jobs"], placed, strict=True)):
        runs: list[dict[str, Any]] = []
        done = 0.0
        for k in range(begin, begin + length):
            level = job["levels"][0 if battery and price[k] > 1000 else 1 if number % 2 else 2]
            it[k] += level["power_mw"]
            used[job["pool"]][k] += job["gpus"]
            done += level["speed"] * step_h
            run = {"start": rfc3339(start + k * step), "end": rfc3339(start + (k + 1) * step), **level}
            if runs and runs[-1]["end"] == run["start"] and runs[-1]["limit_w"] == run["limit_w"]:
                runs[-1]["end"] = run["end"]
            else:
                runs.append(run)
        lack = max(0.0, job["work_h"] - done)
        jobs.append({"id": job["id"], "runs": runs, "work_done_h": done, "late_h": 0.0, "unmet_h": lack})
        if lack > 1e-9:
            unmet.append(
                {
                    "requirement": f"job:{job['id']}/due",
                    "amount": lack,
                    "unit": "h",
                    "price": job["unmet_cost_per_h"],
                    "sentence": f"{job['id']} lacks {lack:.2f} h of due work",
                }
            )
    for pool in problem["pools"]:
        for k in range(slots):
            it[k] += (pool["gpus"] - used[pool["name"]][k]) * pool["idle_w_per_gpu"] / 1e6
    heat = [p / problem["distribution_efficiency"] for p in it]
    cooling = [0.11 * h for h in heat]
    pv, wind = problem["series"]["pv_available_mw"], problem["series"]["wind_available_mw"]
    pv_used, charge, discharge, soc, bought, sold = [], [], [], [], [], []
    level = 10.0
    for k in range(slots):
        need = heat[k] + cooling[k] + 1.2 - wind[k] - pv[k]
        put = min(6.0, (24 - level) / (0.96 * step_h), -need) if battery and need < 0 else 0.0
        take = min(6.0, (level - 2) * 0.96 / step_h, need) if battery and need > 0 and price[k] > 1000 else 0.0
        level += step_h * (0.96 * put - take / 0.96)
        rest = need + put - take
        sell = min(4.0, max(0.0, -rest))
        pv_used.append(pv[k] - max(0.0, -rest - sell))
        charge.append(put)
        discharge.append(take)
        soc.append(level)
        bought.append(max(0.0, rest))
        sold.append(sell)
    terms = {
        "import": sum(p * c for p, c in zip(bought, price, strict=True)) * step_h,
        "export": -sum(sold) * 200.0 * step_h,
        "unmet": sum(item["amount"] * item["price"] for item in unmet),
    }
    objective = sum(terms.values())
    return {
        "schema_version": "1.0",
        "name": problem["name"],
        "problem_digest": digest_of or digest(problem),
        "status": "feasible",
        "rung": "INCUMBENT" if battery else "GREEDY",
        "objective": objective,
        "bound": None if gap is None else objective * (1 - gap),
        "gap": gap,
        "solve_seconds": 9.4,
        "terms": terms,
        "series": {
            "import_mw": bought,
            "export_mw": sold,
            "pv_used_mw": pv_used,
            "wind_used_mw": list(wind),
            "it_mw": it,
            "heat_mw": heat,
            "cooling_mw": cooling,
            "base_load_mw": [1.2] * slots,
            "charge_mw": {"bess-1": charge},
            "discharge_mw": {"bess-1": discharge},
            "soc_mwh": {"bess-1": soc},
        },
        "jobs": jobs,
        "unmet": unmet,
        "conflicts": [],
    }
