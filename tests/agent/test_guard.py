"""The site guard: down at once, up slowly, and the default set whenever it cannot see."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import boot_s
from agent.ear import Ear
from agent.guard.law import Governor, Law
from agent.guard.meter import HttpMeter, MeterLost, Watch
from agent.guard.modbus import ModbusMeter
from agent.guard.settings import read_settings
from agent.machine import SiteFactor
from models.errors import InvalidInput
from tests.support.caps_server import CapsServer

PEERS = Path(__file__).resolve().parents[1] / "peers"
LAW = Law(limit_mw=10.0, flexible_mw=8.0)


class Plant:
    """Import of a site whose GPUs follow the factor with a lag of two seconds, beside what does not follow."""

    def __init__(self, fixed_mw: float, flexible_mw: float) -> None:
        self.fixed_mw = fixed_mw
        self.flexible_mw = flexible_mw
        self.shares = [1.0, 1.0]

    def second(self, share: float) -> float:
        self.shares = [*self.shares[-1:], share]
        return self.fixed_mw + self.flexible_mw * self.shares[0]


def run(plant: Plant, governor: Governor, seconds: int, begin: int = 0) -> list[tuple[float, float]]:
    """(import, share) a second."""
    rows = []
    share = governor.share
    for second in range(begin, begin + seconds):
        reading = plant.second(share)
        share = governor.step(float(second), reading).share
        rows.append((reading, share))
    return rows


def test_a_cloud_is_answered_in_the_same_second_and_in_one_cut() -> None:
    plant, governor = Plant(1.0, 8.0), Governor(LAW)
    assert run(plant, governor, 10)[-1] == (9.0, 1.0)
    plant.fixed_mw = 3.0  # 2 MW of PV are gone
    rows = run(plant, governor, 20, 10)
    assert rows[0][1] == pytest.approx(1 - (11.0 - 9.5) / 8.0), "down at once, to 95 %"
    assert [round(mw, 6) for mw, _ in rows[2:]] == [9.5] * 18, "what was cut counts until it shows: no second cut"
    assert {share for _, share in rows} == {rows[0][1]}, "between 90 and 99 % it holds"


def test_it_rises_only_after_a_calm_time_slowly_and_never_past_its_aim() -> None:
    plant, governor = Plant(3.0, 8.0), Governor(LAW)
    low = run(plant, governor, 20)[-1][1]
    plant.fixed_mw = 2.4
    rows = run(plant, governor, 400, 20)
    begun = next(k for k, (_, share) in enumerate(rows) if share > low)
    assert 29 <= begun <= 32
    steps = [after[1] - before[1] for before, after in pairwise(rows)]
    assert max(steps) <= LAW.rise_per_s + 1e-9
    assert min(steps) >= 0, "no hunting"
    assert max(mw for mw, _ in rows) <= 9.5 + 1e-9
    assert rows[-1][0] >= 9.0


def test_a_lost_meter_means_the_default_set_until_it_has_been_back_for_a_while() -> None:
    governor = Governor(LAW)
    assert governor.step(0, None).default, "nothing was read yet"
    assert not governor.step(1, 8.0).default
    assert not governor.step(3, None).default
    assert governor.step(4.1, None).default
    words = [governor.step(5.0 + k, 8.0) for k in range(40)]
    assert [word.default for word in words].index(False) == 30
    assert governor.share == 1.0


def test_where_the_factor_does_not_do_the_default_set_is_called() -> None:
    governor = Governor(Law(10.0, 8.0, lowest=0.5))
    words = [governor.step(float(k), 10.6) for k in range(30)]
    assert words[0].share < 1.0
    assert words[-1].default
    assert "in spite" in words[-1].reason
    back = [governor.step(30.0 + k, 8.0) for k in range(40)]
    assert [word.default for word in back].index(False) == 30


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-5, 20)), min_size=1, max_size=80), st.floats(0, 1))
def test_whatever_the_meter_says_the_factor_is_a_share_and_rises_by_its_ramp_only(
    readings: list[float | None], begin: float
) -> None:
    governor = Governor(LAW, begin)
    share, read_at = begin, -1e9
    for second, reading in enumerate(readings):
        word = governor.step(float(second), reading)
        assert 0.0 <= word.share <= 1.0
        assert word.share <= share + LAW.rise_per_s + 1e-9
        read_at = second if reading is not None else read_at
        assert word.default or second - read_at <= LAW.lost_after_s
        if reading is not None and reading >= 0.9 * LAW.limit_mw:
            assert word.share <= share
        share = word.share


def test_a_reading_that_cannot_be_is_none() -> None:
    watch = Watch(None, boot_s, most_mw=30.0, stuck_s=60.0)  # type: ignore[arg-type]
    for bad in (float("nan"), float("inf"), 31.0, -31.0):
        with pytest.raises(MeterLost, match="beyond"):
            watch.checked(bad, 0.0)
    assert watch.checked(8.0, 0.0) == watch.checked(8.0, 60.0) == 8.0
    with pytest.raises(MeterLost, match="stands still"):
        watch.checked(8.0, 61.0)
    assert watch.checked(8.1, 62.0) == 8.1


def test_a_guard_that_falls_silent_means_the_default_set_with_the_last_factor() -> None:
    ear = Ear(5.0)
    assert ear.factor(0.0) == SiteFactor(1.0, default=True), "never heard"

    def line(run: str, seq: int, factor: float) -> bytes:
        return json.dumps({"run": run, "seq": seq, "factor": factor, "default": False}).encode()

    assert ear.hear(line("a", 1, 0.8), 0.0)
    assert ear.factor(5.0) == SiteFactor(0.8)
    assert ear.factor(5.1) == SiteFactor(0.8, default=True), "silence lifts nothing"
    assert not ear.hear(line("a", 1, 1.0), 6.0), "the same again is no sign of life"
    assert ear.hear(line("b", 1, 0.9), 7.0), "a guard that was started again"
    for bad in (b"", b"{", line("b", 2, 1.5), line("b", 2, float("nan")), b'{"run": "b", "seq": 3}'):
        assert not ear.hear(bad, 8.0)


def modbus_words(value: float) -> dict[str, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return {"52": high, "53": low}


@pytest.fixture
def modbus(tmp_path: Path) -> Iterator[tuple[int, Callable[..., None]]]:
    """A real Modbus TCP server (pymodbus') and how to change what it shows."""
    path = tmp_path / "device.json"

    def show(value: float, **more: Any) -> None:
        beside = path.with_suffix(".new")
        words = modbus_words(value)
        beside.write_text(json.dumps({"1": {"input": words, "holding": {"7": words["53"], "8": words["52"]}, **more}}))
        beside.replace(path)

    show(8250.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, str(PEERS / "modbus_device.py"), str(port), str(path)])
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield port, show
    server.kill()
    server.wait()


def test_a_modbus_meter_is_read_from_a_real_server(modbus: tuple[int, Callable[..., None]]) -> None:
    port, show = modbus
    meter = ModbusMeter("127.0.0.1", port, 1, 52, scale=1e-3)
    assert meter.read_mw() == pytest.approx(8.25)
    swapped = ModbusMeter("127.0.0.1", port, 1, 7, table="holding", low_word_first=True, scale=-1e-3)
    assert swapped.read_mw() == pytest.approx(-8.25), "export counted positive by the device"
    show(9000.0, code=6)
    with pytest.raises(MeterLost, match="refuses"):
        meter.read_mw()
    show(9000.0, hang_s=3)
    slow = ModbusMeter("127.0.0.1", port, 1, 52, timeout_s=0.3)
    with pytest.raises(MeterLost):
        slow.read_mw()
    show(9000.0)
    with pytest.raises(MeterLost, match="refuses"):
        ModbusMeter("127.0.0.1", port, 1, 600).read_mw()
    for one in (meter, swapped, slow):
        one.close()


def test_an_http_meter_follows_its_pointer_and_names_what_is_wrong() -> None:
    server = CapsServer()
    try:
        meter = HttpMeter(server.url + "/meter", "/grid/phases/1/kw", 1e-3, 1.0)
        for raw, wrong in (
            (b'{"grid": {"phases": [{"kw": 1}, {"kw": 8250}]}}', None),
            (b'{"grid": {"phases": []}}', "IndexError"),
            (b'{"grid": {"phases": [1, {"kw": true}]}}', "no number"),
            (b"{", "JSONDecodeError"),
        ):
            server.raw = raw
            if wrong is None:
                assert meter.read_mw() == pytest.approx(8.25)
            else:
                with pytest.raises(MeterLost, match=wrong):
                    meter.read_mw()
        server.status = 503
        with pytest.raises(MeterLost, match="503"):
            meter.read_mw()
    finally:
        server.close()


def configured(folder: Path, meter: str, **law: float) -> Path:
    path = folder / "guard.toml"
    rules = "\n".join(f"{name} = {value}" for name, value in law.items())
    path.write_text(
        f"limit_mw = 10.0\nflexible_mw = 8.0\nperiod_s = 0.05\n[meter]\n{meter}\n"
        f'[listen]\nport = 0\nfile = "{folder / "factor.json"}"\n[law]\n{rules}\n'
    )
    return path


def test_the_configuration_names_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "guard.toml"
    path.write_text('limit_mw = -1\n[meter]\nkind = "modbus"\naddres = 3\n[law]\naim_at = 0.995\n')
    with pytest.raises(InvalidInput) as refused:
        read_settings(path)
    assert {fault.pointer for fault in refused.value.faults} == {
        "limit_mw",
        "flexible_mw",
        "meter.host",
        "meter.address",
        "meter.addres",
        "law.aim_at",
    }


class Guard:
    """A guard in a process of its own, and an ear of an agent's that hears it."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-P", "-m", "agent.guard", "--config", str(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.ear = Ear(0.6, url=self.url)
        self._stop = threading.Event()
        threading.Thread(target=self.ear.listen, args=(self._stop,), daemon=True).start()

    def wait(self, what: Callable[[SiteFactor], bool], why: str, seconds: float = 15.0) -> float:
        began = time.monotonic()
        while not what(self.ear.factor(boot_s())):
            assert time.monotonic() - began < seconds, f"{why} did not come: {self.ear.factor(boot_s())}"
            time.sleep(0.005)
        return time.monotonic() - began

    def close(self) -> None:
        self._stop.set()
        self.process.kill()
        self.process.wait()


def test_an_agent_hears_a_derate_the_loss_of_the_meter_and_the_guards_death(
    tmp_path: Path, modbus: tuple[int, Callable[..., None]], capsys: Any
) -> None:
    port, show = modbus
    meter = f'kind = "modbus"\nhost = "127.0.0.1"\nport = {port}\naddress = 52\nstuck_s = 0\ntimeout_s = 0.2'
    config = configured(tmp_path, meter, lost_after_s=0.5, calm_s=0.3, settle_s=30.0)
    guard = Guard(config)
    try:
        guard.wait(lambda f: f == SiteFactor(1.0), "the first good reading")
        show(10_300.0)
        took_s = guard.wait(lambda f: f.share == pytest.approx(0.9, abs=1e-6), "the cut")
        with capsys.disabled():
            print(f"\nguard: a reading over the line was an agent's factor after {took_s * 1000:.0f} ms")
        show(10_300.0, code=4)
        guard.wait(lambda f: f.default, "the default set when the meter is lost")
        show(9_400.0)
        guard.wait(lambda f: not f.default, "the meter's return")
        host, last = guard.url.removeprefix("http://").removesuffix("/factor").split(":")
        connection = http.client.HTTPConnection(host, int(last), timeout=5)
        connection.request("GET", "/now")
        assert json.loads(connection.getresponse().read())["factor"] == pytest.approx(0.9)
        guard.process.send_signal(signal.SIGKILL)
        guard.wait(lambda f: f == SiteFactor(pytest.approx(0.9), default=True), "silence")  # type: ignore[arg-type]
    finally:
        guard.close()
    again = Guard(config)
    try:
        again.wait(lambda f: not f.default, "a guard that was started again")
        assert again.ear.factor(boot_s()).share == pytest.approx(0.9), "a restart lifts nothing"
        again.process.terminate()
        assert again.process.wait(10) == 0
        again.wait(lambda f: f.default, "the last word")
    finally:
        again.close()


def test_a_file_is_heard_like_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "factor.json"
    ear = Ear(1.0, file=path)
    assert ear.factor(0.0).default
    path.write_text('{"run": "a", "seq": 1, "factor": 0.7, "default": false}')
    assert ear.factor(1.0) == SiteFactor(0.7)
    assert ear.factor(2.5) == SiteFactor(0.7, default=True), "an old file says nothing"
    path.write_text('{"run": "a", "seq": 2, "factor": 0.7, "default": false}')
    assert ear.factor(3.0) == SiteFactor(0.7)
