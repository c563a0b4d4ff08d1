"""GPUs through NVML: the real nvidia-ml-py on a compiled stand-in of the driver's library."""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pynvml
import pytest

from ingest.catalogue import METRICS
from ingest.errors import SourceUnavailable
from ingest.points import to_ns
from ingest.sources.nvml.source import NvmlSource
from ingest.stores.memory import MemoryStore

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def ticks():
    return (reading // 4 * 10 for reading in itertools.count())  # 10 s a poll of four GPUs


@pytest.fixture
def source(world, ticks):
    opened = NvmlSource("dakhla", "n1", tags={"pool": "h100-a"}, monotonic=lambda: float(next(ticks)))
    yield opened
    opened.close()


def fields(source, number=0):
    return dict(source.poll(NOW)[number].fields)


def test_every_field_is_read_in_our_units(source):
    points = source.poll(NOW)
    assert [dict(p.tags) for p in points] == [
        {"site": "dakhla", "node": "n1", "pool": "h100-a", "gpu": f"GPU-0{k}"} for k in range(4)
    ]
    assert {p.time_ns for p in points} == {to_ns(NOW)}
    assert dict(points[0].fields) == {
        "reachable": 1,
        "power_w": 431.5,
        "power_average_w": 430.0,
        "energy_j": 5000.0,
        "limit_w": 700.0,
        "limit_enforced_w": 700.0,
        "limit_default_w": 700.0,
        "limit_min_w": 200.0,
        "limit_max_w": 700.0,
        "temperature_c": 55.0,
        "clock_sm_mhz": 1980.0,
        "clock_memory_mhz": 2619.0,
        "throttle_bits": 0,
        "throttle_power_cap": 0,
        "throttle_power_brake": 0,
        "throttle_thermal": 0,
        "utilization_ratio": 0.97,
        "mig_enabled": 0,
    }
    assert source.unsupported["GPU-00"] == {"module_power_w": "NotSupported"}
    assert source.driver == "580.95.05"


def test_every_field_stands_in_the_catalogue(world, source):
    world.gpus[0]["module"] = 900_000
    world.save()
    source.poll(NOW)
    world.gpus[0]["energy"] += 4_000_000
    world.save()
    told = set(fields(source))
    others = {"gpu.memory_temperature_c", "gpu.memory_used_mib"}  # DCGM's alone
    assert {f"gpu.{name}" for name in told} == {name for name in METRICS if name.startswith("gpu.")} - others


def test_mean_power_comes_from_the_energy_counter_and_not_across_a_reset(world, source):
    assert "power_mean_w" not in fields(source)
    world.gpus[0]["energy"] += 4_000_000  # 4 kJ in 10 s
    world.save()
    assert fields(source)["power_mean_w"] == pytest.approx(400.0)
    world.gpus[0]["energy"] = 1_000  # the driver was loaded anew
    world.save()
    assert "power_mean_w" not in fields(source)
    world.gpus[0]["energy"] += 3_000_000
    world.save()
    assert fields(source)["power_mean_w"] == pytest.approx(300.0)


def test_a_gpu_without_energy_counter_is_read_without_it(world, source):
    world.gpus[0]["flags"] = "no-energy,no-mig"
    world.save()
    told = fields(source)
    assert not {"energy_j", "power_mean_w", "mig_enabled"} & told.keys()
    assert told["power_w"] == 431.5
    assert source.unsupported["GPU-00"]["energy_j"] == "NotSupported"


def test_without_field_values_the_plain_power_reading_serves(world, source):
    world.gpus[0]["flags"] = "no-field-power,no-temp-v"
    world.save()
    told = fields(source)
    assert told["power_w"] == 430.0
    assert told["temperature_c"] == 55.0
    assert "power_average_w" not in told
    assert "power_w" not in source.unsupported["GPU-00"]


def test_temperatures_below_freezing_keep_their_sign(world, source):
    world.gpus[0]["temp"] = -7
    world.save()
    assert fields(source)["temperature_c"] == -7.0


@pytest.mark.parametrize("flag", ["lost", "reset-required"])
def test_a_lost_gpu_harms_no_other_and_comes_back(world, source, flag, caplog):
    caplog.set_level(logging.INFO, "chergui.ingest.nvml")
    source.poll(NOW)
    world.gpus[1]["flags"] = flag
    world.save()
    points = source.poll(NOW)
    assert [dict(p.fields)["reachable"] for p in points] == [1, 0, 1, 1]
    assert dict(points[1].tags)["gpu"] == "GPU-01"  # known from before
    assert dict(points[1].fields) == {"reachable": 0}
    assert list(source.lost) == ["GPU-01"]
    source.poll(NOW)
    assert sum("GPU-01 is lost" in message for message in caplog.messages) == 1
    world.gpus[1]["flags"] = ""
    world.save()
    assert [dict(p.fields)["reachable"] for p in source.poll(NOW)] == [1, 1, 1, 1]
    assert source.lost == {}


def test_a_gpu_lost_from_the_start_is_named_by_its_index(world, source):
    world.gpus[2]["flags"] = "lost"
    world.save()
    assert dict(source.poll(NOW)[2].tags)["gpu"] == "index 2"


def test_mig_leaves_the_power_of_the_whole_gpu(world, source):
    world.gpus[0]["flags"] = "mig"
    world.save()
    told = fields(source)
    assert (told["mig_enabled"], told["power_w"]) == (1, 431.5)


def test_a_limit_below_the_draw_shows_as_power_cap_throttling(world, source):
    world.gpus[0]["enforced"] = 300_000  # out of band: nobody here asked for it
    world.gpus[1]["reasons"] = 0x80 | 0x40
    world.save()
    told = fields(source)
    assert (told["limit_w"], told["limit_enforced_w"], told["power_w"]) == (700.0, 300.0, 300.0)
    assert (told["throttle_power_cap"], told["throttle_bits"]) == (1, 4)
    other = fields(source, 1)
    assert (other["throttle_power_brake"], other["throttle_thermal"], other["throttle_power_cap"]) == (1, 1, 0)


def test_a_driver_that_went_away_is_said_and_its_return_is_noticed(world, source):
    source.poll(NOW)
    world.path.rename(world.path.with_suffix(".away"))
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match=r"nvml cannot be read: .*[Dd]river"):
            source.poll(NOW)
    world.save()
    assert len(source.poll(NOW)) == 4


def test_readings_fit_a_store(source):
    store = MemoryStore()
    assert store.write(source.poll(NOW)).refused == ()
    assert store.write(source.poll(NOW.replace(hour=13))).refused == ()


POLL = """
import json, sys
from datetime import UTC, datetime
from ingest.errors import SourceUnavailable
from ingest.sources.nvml.source import NvmlSource
source = NvmlSource("s", "n")
try:
    points = source.poll(datetime(2026, 6, 1, tzinfo=UTC))
except SourceUnavailable as error:
    print(json.dumps({"error": str(error)}))
else:
    source.close()
    print(json.dumps({"points": [dict(p.fields) for p in points], "unsupported": source.unsupported}))
"""


def poll_in_a_new_process(**environment):
    environment = {**os.environ, **environment}
    out = subprocess.run([sys.executable, "-c", POLL], capture_output=True, text=True, env=environment, timeout=60)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def test_an_old_driver_that_lacks_functions_is_read_by_their_elders(old_nvml_library, world_at, tmp_path):
    world = world_at(tmp_path / "gpus.txt")
    told = poll_in_a_new_process(LD_LIBRARY_PATH=str(old_nvml_library.parent), NVML_STAND_IN=str(world.path))
    first = told["points"][0]
    assert first["power_w"] == 430.0  # GetPowerUsage
    assert first["temperature_c"] == 55.0  # GetTemperature
    assert first["throttle_bits"] == 0  # GetCurrentClocksThrottleReasons
    assert "power_average_w" not in first
    assert told["unsupported"]["GPU-00"] == {"power_average_w": "NotSupported", "module_power_w": "NotSupported"}


def test_a_machine_without_driver_says_so(tmp_path):
    told = poll_in_a_new_process(LD_LIBRARY_PATH=str(tmp_path))
    if "points" in told:
        pytest.skip("this machine has a real driver")
    assert told["error"].startswith("the source nvml cannot be read: ")


def test_a_real_gpu_is_read_in_plausible_numbers():
    told = poll_in_a_new_process()
    if not told.get("points"):
        pytest.skip(f"NO REAL GPU HERE: {told.get('error', 'the driver knows none')}")
    for reading in told["points"]:
        for name, value in reading.items():
            metric = METRICS[f"gpu.{name}"]
            assert metric.low <= value <= metric.high, name


def test_the_stand_in_refuses_as_a_driver_does(world):
    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceSetPowerManagementLimit(handle, 450_000)
        assert pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) == 450_000
        for wrong in (199_999, 700_001):
            with pytest.raises(pynvml.NVMLError_InvalidArgument):
                pynvml.nvmlDeviceSetPowerManagementLimit(handle, wrong)
        pynvml.nvmlDeviceSetPowerManagementLimit_v2(handle, pynvml.NVML_POWER_SCOPE_GPU, 400_000)
        assert pynvml.nvmlDeviceGetPowerManagementLimit(handle) == 400_000
        pynvml.nvmlDeviceSetGpuLockedClocks(handle, 210, 1200)
        assert pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM) == 1200
        pynvml.nvmlDeviceResetGpuLockedClocks(handle)
        assert pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM) == 1980
        world.gpus[0]["flags"] = "no-permission"
        world.save()
        with pytest.raises(pynvml.NVMLError_NoPermission):
            pynvml.nvmlDeviceSetPowerManagementLimit(handle, 450_000)
        with pytest.raises(pynvml.NVMLError_NoPermission):
            pynvml.nvmlDeviceSetGpuLockedClocks(handle, 210, 1200)
        with pytest.raises(pynvml.NVMLError_InvalidArgument):
            pynvml.nvmlDeviceGetHandleByIndex(4)
    finally:
        pynvml.nvmlShutdown()
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        pynvml.nvmlDeviceGetCount()


def test_the_stand_in_has_the_signatures_of_nvidias_header(stand_in_source):
    compiler, source = stand_in_source
    package = importlib.util.find_spec("nvidia")
    places = [Path(place) for place in (package.submodule_search_locations or [])] if package else []
    header = next((found for place in places for found in place.glob("*/include/nvml.h")), None)
    if header is None:
        pytest.skip("nvidia-nvml-dev is not installed: the stand-in's signatures are not compared")
    command = [
        compiler,
        "-DCHECK_AGAINST_HEADER",
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        f"-I{header.parent}",
        str(source),
    ]
    subprocess.run(command, check=True)
