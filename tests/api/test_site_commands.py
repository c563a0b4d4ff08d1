"""``chergui check`` and ``chergui init`` as an operator types them."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.commands.site import app
from ingest.machine_probe import SeenGpu, SeenPartition, parse_nvidia_smi, parse_sinfo
from ingest.site_file import gpu_rows, read_site, sample_path
from ingest.site_skeleton import catalogue_row

run = CliRunner().invoke
CHERGUI = Path(sys.executable).with_name("chergui")


def test_check_prints_a_summary_of_a_sample():
    done = run(app, ["check", "dakhla"])
    assert done.exit_code == 0
    for text in ("h100-a", "12,288", "pretrain", "prior", "bess-1", "10 MW", "firm"):
        assert text in done.output


def test_check_lists_every_error_and_exits_with_2(tmp_path):
    bad = tmp_path / "bad.toml"
    text = sample_path("local").read_text()
    bad.write_text(text.replace("gpus = 96", "gpus = 0").replace('"MAD"', '"mad"').replace("H100-SXM", "H1000"))
    done = run(app, ["check", str(bad)])
    assert done.exit_code == 2
    for place in ("pools[0].gpus: 0: ", "currency: 'mad': ", "pools[0].gpu: 'H1000' is in no catalogue"):
        assert place in done.output
    assert "3 error(s)" in done.output


def test_check_knows_which_turbines_have_a_power_curve(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text(sample_path("dakhla").read_text().replace("E-126/4200", "E-126/4201"))
    done = run(app, ["check", str(bad)])
    assert done.exit_code == 2
    assert "wind[0].turbine: 'E-126/4201' has no power curve in windpowerlib; near: E-126/4200" in done.output


def test_check_of_a_file_that_is_not_there_exits_with_2(tmp_path):
    done = run(app, ["check", str(tmp_path / "none.toml")])
    assert done.exit_code == 2
    assert "check the path" in done.output


def test_init_writes_a_site_that_check_accepts_and_never_overwrites(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    path = tmp_path / "site.toml"
    done = run(app, ["init", "--output", str(path), "--name", "our hall", "--timezone", "Europe/Paris"])
    assert done.exit_code == 0, done.output
    before = path.read_text()
    assert "assumed" in before
    site = read_site(path)
    assert (site.name, site.timezone) == ("our-hall", "Europe/Paris")
    again = run(app, ["init", "--output", str(path)])
    assert again.exit_code == 2
    assert "exists and is kept" in again.output
    assert path.read_text() == before
    assert run(app, ["check", str(path)]).exit_code == 0


def test_init_refuses_a_zone_that_is_none(tmp_path):
    done = run(app, ["init", "--output", str(tmp_path / "s.toml"), "--timezone", "Mars/Base"])
    assert done.exit_code == 2
    assert "Mars/Base" in done.output
    assert not (tmp_path / "s.toml").exists()


def fake(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_init_fills_in_what_the_real_commands_say(tmp_path):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    fake(bin_, "nvidia-smi", "NVIDIA H100 80GB HBM3, 200.00, 700.00\n" * 8)
    fake(bin_, "sinfo", "train|24|gpu:h100:8(S:0-1)\ntrain|4|gpu:b200:8\ncpu|10|(null)\n")
    path = tmp_path / "site.toml"
    environment = {**os.environ, "PATH": f"{bin_}:/usr/bin:/bin"}
    done = subprocess.run(
        [CHERGUI, "init", "--output", path], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    site = read_site(path)
    assert [(p.name, p.gpu, p.gpus) for p in site.pools] == [
        ("train-1", "H100-SXM", 192),
        ("train-2", "B200-SXM", 32),
    ]
    (bin_ / "sinfo").unlink()
    path.unlink()
    done = subprocess.run(
        [CHERGUI, "init", "--output", path], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [(p.name, p.gpu, p.gpus) for p in read_site(path).pools] == [("this-node", "H100-SXM", 8)]


def test_init_writes_a_row_for_a_gpu_that_no_catalogue_knows(tmp_path, monkeypatch):
    monkeypatch.setattr("api.commands.site.seen_gpus", lambda: [SeenGpu("NVIDIA Quux 9000", 4, 120.0, 480.0)])
    monkeypatch.setattr("api.commands.site.seen_partitions", list)
    path = tmp_path / "site.toml"
    assert run(app, ["init", "--output", str(path)]).exit_code == 0
    site = read_site(path)
    gpu = site.gpu(site.pools[0].gpu)
    assert (gpu.min_limit_w, gpu.max_limit_w, gpu.limits_evidence) == (120, 480, "measured")
    assert {curve.evidence for curve in gpu.curves} == {"assumed"}
    assert site.pools[0].default.limit_w == 240


def test_what_nvidia_smi_and_sinfo_print_is_understood():
    text = "NVIDIA A40, 100.00, 300.00\nNVIDIA A40, 100.00, 300.00\nTesla V100-SXM2-32GB, [N/A], 300.00\n\n"
    assert parse_nvidia_smi(text) == [
        SeenGpu("NVIDIA A40", 2, 100.0, 300.0),
        SeenGpu("Tesla V100-SXM2-32GB", 1, None, 300.0),
    ]
    assert parse_nvidia_smi("No devices were found\n") == []
    assert parse_sinfo("gpu|2|gpu:4\ngpu|3|gpu:4\nmix|1|gpu:a100:8(S:0-3),shard:80\ncpu|9|(null)\n") == [
        SeenPartition("gpu", 5, 4, ""),
        SeenPartition("mix", 1, 8, "a100"),
    ]


@pytest.mark.parametrize(
    ("device", "key"),
    [
        ("NVIDIA H100 80GB HBM3", "H100-SXM"),
        ("NVIDIA H200", "H200-SXM"),
        ("NVIDIA A100-SXM4-80GB", "A100-SXM-400W"),
        ("NVIDIA GB200", "GB200"),
        ("NVIDIA B200", "B200-SXM"),
        ("Tesla V100-PCIE-16GB", "V100"),
        ("h100", "H100-SXM"),
        ("NVIDIA L40S", "L40S"),
    ],
)
def test_a_device_finds_its_row(device, key):
    assert catalogue_row(device)["key"] == key


def test_a_device_that_is_none_of_ours_finds_no_row():
    assert catalogue_row("Radeon VII") is None
    assert len({row["key"] for row in gpu_rows()}) == len(gpu_rows())
