"""``chergui learn``: from files to text for the site file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from api.commands.learn import learn_app as app
from ingest.accounting import COLUMNS
from ingest.site_file import find_site, read_site
from models.cooling import side_power_mw
from models.gpu_power import CapCurve

RUN = CliRunner()


def sweep(path: Path, **change: object) -> Path:
    rng = np.random.default_rng(1)
    rows = []
    for limit in (400, 350, 300, 250, 200, 400):
        for _ in range(4):
            drawn = min(0.97 * limit, 372.0) + rng.normal(0, 0.3)
            rate = 8 * ((drawn - 94) / 278) ** 0.4 * (1 + rng.normal(0, 0.003))
            row = {"limit_w": limit, "drawn_w": drawn, "rate": rate, "enforced_w": limit, "temp_c": 61}
            rows.append(row)
    rows[2] |= change
    path.write_text(json.dumps({"limits_found_w": {"GPU-0": 400}, "not_restored": [], "samples": rows}))
    return path


def test_a_sweep_becomes_a_row_that_the_site_file_takes(tmp_path: Path) -> None:
    report = sweep(tmp_path / "sweep.json", temp_c=91)
    words = ["gpu", str(report), "--gpu", "A100-SXM-400W", "--workload", "pretrain", "--data-dir", str(tmp_path)]
    done = RUN.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "left out: window 2: slowed by temperature" in done.stderr
    assert "whether a GPU starved meanwhile is not known" in done.stderr
    (curve,) = tomllib.loads(done.stdout)["gpu_models"]["curves"]
    checked = CapCurve.model_validate(
        curve | {"points": [{k: float(v) for k, v in p.items()} for p in curve["points"]]}
    )
    assert checked.evidence == "measured"
    assert [p.limit_w for p in checked.points] == [200, 250, 300, 350, 400]


def test_what_cannot_teach_is_refused_by_name(tmp_path: Path) -> None:
    broken = sweep(tmp_path / "broken.json", rate="fast")
    done = RUN.invoke(app, ["gpu", str(broken), "--gpu", "A100-SXM-400W"])
    assert done.exit_code == 2
    assert "samples[2]" in done.stderr
    assert RUN.invoke(app, ["gpu", str(tmp_path / "no.json"), "--gpu", "A100-SXM-400W"]).exit_code == 2
    (tmp_path / "list.json").write_text("{}")
    assert (
        "give a report of a sweep" in RUN.invoke(app, ["gpu", str(tmp_path / "list.json"), "--gpu", "H100-SXM"]).stderr
    )
    unknown = RUN.invoke(app, ["gpu", str(broken), "--gpu", "H1000"])
    assert unknown.exit_code == 2
    assert "known are" in unknown.stderr


def plant_file(path: Path, spoil: str = "") -> Path:
    side = read_site(find_site("local")).cooling
    assert side is not None
    assert side.air is not None
    rng = np.random.default_rng(2)
    hours = np.arange(24 * 10)
    ambient = 16 + 9 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 1, 240)
    heat = 0.08 + 0.03 * np.sin(hours * 2 * np.pi / 31) + rng.normal(0, 0.003, 240)
    truth = side.air.model_copy(update={"fan_w_per_kw": 60.0})
    power = side_power_mw(heat, ambient, truth) * (1 + rng.normal(0, 0.02, 240))
    lines = ["time,heat_mw,power_mw,ambient_c"]
    for h in hours:
        lines.append(f"2026-04-{1 + h // 24:02d}T{h % 24:02d}:00:00Z,{heat[h]:.5f},{power[h]:.6f},{ambient[h]:.2f}")
    path.write_text("\n".join(lines) + "\n" + spoil)
    return path


def test_a_plants_records_become_parameters_with_bounds(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["cooling", str(plant_file(tmp_path / "plant.csv")), "--site", "local"])
    assert done.exit_code == 0, done.output
    told = tomllib.loads(done.stdout)
    assert told["evidence"] == "measured"
    assert told["fan_w_per_kw"] == pytest.approx(60.0, rel=0.1)
    assert "# 90 %:" in done.stdout


def test_records_that_cannot_be_read_are_refused_line_by_line(tmp_path: Path) -> None:
    broken = plant_file(tmp_path / "plant.csv", spoil="2026-04-20T00:00:00Z,much,0.1,20\n2026-04-20,0.1,0.02,20\n")
    done = RUN.invoke(app, ["cooling", str(broken), "--site", "local"])
    assert done.exit_code == 2
    assert "line 242" in done.stderr
    assert "line 243" in done.stderr
    assert RUN.invoke(app, ["cooling", str(broken), "--site", "local", "--side", "liquid"]).exit_code == 2


def test_accounting_is_judged_on_the_jobs_that_came_last(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines = ["|".join(COLUMNS)]
    for k in range(400):
        begin = 1_767_225_600 + 3600 * k
        user, usual = (("amina", 7200), ("bilal", 1800))[k % 2]
        end = begin + int(usual * np.exp(rng.normal(0, 0.2)))
        lines.append(f"{user}|job-{k}|gpu|{begin}|{begin}|{end}|08:00:00|gres/gpu=8|COMPLETED")
    path = tmp_path / "sacct.txt"
    path.write_text("\n".join(lines) + "\n")
    done = RUN.invoke(app, ["jobs", str(path), "--level", "0.75"])
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert RUN.invoke(app, ["jobs", str(path), "--level", "0.75"]).output == done.output
    assert done.exit_code == 0, done.output
    assert "80 later ones judge" in done.stdout
    factor = float(done.stdout.split("off by a factor of ")[1].split()[0])
    assert factor < 1.3  # exp of the median of |N(0, 0.2)| is 1.14; the limit is off by 4 and by 16
    path.write_text("\n".join(lines[:50]) + "\n")
    few = RUN.invoke(app, ["jobs", str(path)])
    assert few.exit_code == 2
    assert "200 are needed" in few.stderr
