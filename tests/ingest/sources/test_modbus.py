"""Modbus TCP: every map that ships, read from a real server process (pymodbus') that plays the device."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from processes import free_port, listens, running

from ingest.catalogue import METRICS
from ingest.errors import SourceUnavailable
from ingest.points import to_ns
from ingest.sources.modbus.decode import Block, blocks, number
from ingest.sources.modbus.link import Link
from ingest.sources.modbus.register_map import RegisterMap, map_names, read_map
from ingest.sources.modbus.source import ModbusSource
from models.checking import validated
from models.errors import InvalidInput

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SERVER = Path(__file__).resolve().parents[2] / "peers" / "modbus_device.py"


def words(form, *values):
    raw = struct.pack(">" + form, *values)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


def at(**tables):
    """Tables from {address: [words]}."""
    return {
        table: {str(start + k): word for start, held in rows.items() for k, word in enumerate(held)}
        for table, rows in tables.items()
    }


def sunspec():
    """A device with SunSpec's chain at 40000: common (1), inverter (103), meter (203), battery (802), twice, end."""
    models = {1: [0] * 66, 103: [0] * 50, 203: [0] * 105, 802: [0] * 62}

    def put(model, address, *held):
        models[model][address - 2 : address - 2 + len(held)] = [word & 0xFFFF for word in held]

    put(103, 14, 2750, 2)  # W, factor 10^2: 275 kW
    put(103, 31, -32768, 2)  # DC power: not implemented
    put(103, 24, *words("I", 123_456_789), 1)  # Wh x 10
    put(103, 33, 417)
    put(103, 37, -1)
    put(103, 38, 4)
    put(203, 16, 5001, -2)
    put(203, 18, -1234)
    put(203, 22, 1)
    put(203, 38, *words("I", 5_000))
    put(203, 46, *words("I", 9_000_000))
    put(203, 54, 3)
    put(802, 11, 553)
    put(802, 13, 0xFFFF)
    put(802, 15, 3)
    put(802, 47, 1500)
    put(802, 56, -1)
    put(802, 63, 1)
    chain = [0x5375, 0x6E53]
    for model, body in (*models.items(), (802, [*models[802][:9], 120, *models[802][10:]])):
        chain += [model, len(body), *body]
    return {40000: [*chain, 0xFFFF, 0]}


TENTHS = [182, -56 & 0xFFFF, 32767, 0, 640, 875]
DEVICES = {
    "1": at(input={52: words("f", 8_250.0), 72: words("f", 1234.5), 70: words("f", 50.02)}),
    "2": at(input={1: words("ff", 50.0, 44.6), 5: words("f", 59.0)}, discrete={0: [1]}),
    "3": at(holding={0: TENTHS, 6: words("I", 12_345), 100: [180], 110: [0b100]}),
    "4": at(input={0: [185, 341, 452, 80, 755]}, holding={0: [180]}),
    "5": at(holding={200: [w for v in (32, 44, 22, 30, 900, 1.5, 812) for w in reversed(words("f", v))]}),
    "6": at(holding=sunspec()),
    "7": at(holding={0: [182, 200], 4: [640]}),
    "8": at(holding={0: [182]}),
    "9": at(holding={**sunspec(), 0: [1, 2]}),
}


class Plant:
    """The devices, and the file that they are played from."""

    def __init__(self, port, path):
        self.port, self.path = port, path
        self.reset()

    def reset(self):
        self.devices = json.loads(json.dumps(DEVICES))
        self.save()

    def save(self):
        beside = self.path.with_suffix(".writing")
        beside.write_text(json.dumps(self.devices))
        beside.replace(self.path)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modbus")
    plant = Plant(free_port(), folder / "devices.json")
    command = [sys.executable, str(SERVER), str(plant.port), str(plant.path)]
    with running(command, folder / "log", lambda: listens(plant.port)):
        yield plant


@pytest.fixture
def plant(process):
    process.reset()
    return process


@pytest.fixture
def source(plant):
    opened = []

    def make(device, map_, *, port=None, timeout_s=2.0, **more):
        held = read_map(map_) if isinstance(map_, str) else map_
        link = Link("127.0.0.1", port or plant.port, device, timeout_s)
        opened.append(ModbusSource(f"d{device}", link, held, {"site": "s", "asset": f"a{device}"}, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def fields(points, asset=None):
    wanted = [p for p in points if p.measurement != "source" and asset in (None, dict(p.tags)["asset"])]
    return {f"{p.measurement}.{name}": value for p in wanted for name, value in p.fields}


@pytest.mark.parametrize(
    ("device", "map_", "expected"),
    [
        (1, "pdu-eastron-sdm630", {"pdu.power_mw": 0.00825, "pdu.energy_mwh": 1.2345, "meter.frequency_hz": 50.02}),
        (
            2,
            "chiller-thermalcare-eq",  # degrees Fahrenheit there
            {"chiller.running": 1, "chiller.setpoint_c": 10.0, "chiller.supply_c": 7.0, "chiller.return_c": 15.0},
        ),
        (
            3,
            "chiller-sample",
            {
                "chiller.supply_c": 18.2,
                "chiller.return_c": -5.6,
                "chiller.power_mw": 0.64,
                "chiller.load_ratio": 0.875,
                "chiller.flow_m3_h": 123.45,
                "chiller.setpoint_c": 18.0,
                "chiller.running": 1,
            },
        ),
        (
            4,
            "crah-sample",
            {
                "crah.supply_c": 18.5,
                "crah.return_c": 34.1,
                "crah.relative_humidity_pct": 45.2,
                "crah.fan_ratio": 0.8,
                "crah.power_mw": 0.00755,
                "crah.setpoint_c": 18.0,
            },
        ),
        (
            5,
            "cdu-sample",  # low word first, bar, kW
            {
                "cdu.supply_c": 32.0,
                "cdu.return_c": 44.0,
                "cdu.primary_supply_c": 22.0,
                "cdu.primary_return_c": 30.0,
                "cdu.flow_l_min": 900.0,
                "cdu.pressure_kpa": 150.0,
                "cdu.heat_mw": 0.812,
            },
        ),
        (
            6,
            "sunspec-inverter",
            {
                "inverter.power_mw": 0.275,
                "inverter.energy_mwh": 1234.56789,
                "inverter.cabinet_c": 41.7,
                "inverter.state_code": 4,
            },
        ),
        (
            6,
            "sunspec-meter",
            {
                "meter.power_mw": -0.01234,
                "meter.frequency_hz": 50.01,
                "meter.import_mwh": 9000.0,
                "meter.export_mwh": 5.0,
            },
        ),
    ],
)
def test_every_map_reads_its_device_in_our_units(source, device, map_, expected):
    one = source(device, map_)
    points = one.poll(NOW)
    told = fields(points)
    assert told == {name: pytest.approx(value, rel=1e-6) for name, value in expected.items()}
    assert told.keys() <= METRICS.keys()
    assert {p.tags for p in points if p.measurement != "source"} == {(("asset", f"a{device}"), ("site", "s"))}
    assert {p.time_ns for p in points} == {to_ns(NOW)}
    assert {type(value) for name, value in told.items() if name.endswith(("code", "running"))} <= {int}
    assert [dict(p.fields)["reachable"] for p in points if p.measurement == "source"] == [1]


def test_a_sensor_that_is_not_there_is_left_out_and_told(source):
    one = source(3, "chiller-sample")
    assert "chiller.ambient_c" not in fields(one.poll(NOW))
    assert one.left_out == {"chiller.ambient_c": "the device says that it has no value"}


def test_two_batteries_behind_one_address_are_two_assets_and_the_sign_can_be_turned(source):
    points = source(6, "sunspec-battery", flip=["battery.power_mw"]).poll(NOW)
    assert fields(points, "a6") == {
        "battery.power_mw": -0.015,
        "battery.soc_ratio": pytest.approx(0.553),
        "battery.charge_code": 3,
    }
    assert fields(points, "a6-2")["battery.soc_ratio"] == pytest.approx(0.12)


def test_all_that_ship_are_read_and_say_where_they_come_from():
    kinds = ("cdu", "chiller", "crah", "pdu", "sunspec-battery", "sunspec-inverter", "sunspec-meter")
    assert all(any(name.startswith(kind) for name in map_names()) for kind in kinds)
    for name in map_names():
        held = read_map(name)
        assert held.source
        assert held.evidence != "measured"
        assert name.endswith("-sample") == (held.evidence == "assumed")


def test_registers_that_the_device_does_not_have_are_left_out_the_rest_is_read(source, plant):
    one = source(7, "chiller-sample")  # no ambient, flow, set-point or status there
    told = fields(one.poll(NOW))
    assert told == {
        "chiller.supply_c": pytest.approx(18.2),
        "chiller.return_c": pytest.approx(20.0),
        "chiller.power_mw": pytest.approx(0.64),
    }
    assert one.left_out["chiller.ambient_c"] == "exception 2 (illegal data address) at holding 2"
    assert set(one.left_out) == {
        f"chiller.{k}" for k in ("ambient_c", "load_ratio", "flow_m3_h", "setpoint_c", "running")
    }
    assert fields(one.poll(NOW)) == told


def test_a_device_that_refuses_everything_and_a_unit_that_is_not_there(source, plant):
    plant.devices["1"]["code"] = 6
    plant.save()
    with pytest.raises(SourceUnavailable, match=r"exception 6 \(the device is busy\) at input 52"):
        source(1, "pdu-eastron-sdm630").poll(NOW)
    with pytest.raises(SourceUnavailable) as caught:
        source(99, "pdu-eastron-sdm630", timeout_s=0.5).poll(NOW)
    assert [p.measurement for p in caught.value.points] == ["source"]


def test_a_device_that_hangs_costs_one_time_out_and_is_back_at_once(source, plant):
    one = source(3, "chiller-sample", timeout_s=0.4)
    one.poll(NOW)
    plant.devices["3"]["hang_s"] = 3
    plant.save()
    begun = time.monotonic()
    with pytest.raises(SourceUnavailable) as caught:
        one.poll(NOW)
    assert time.monotonic() - begun < 1.5
    assert dict(caught.value.points[0].fields)["reachable"] == 0
    plant.reset()
    assert fields(one.poll(NOW))["chiller.supply_c"] == pytest.approx(18.2), (
        "not the late answer to the question before"
    )


def test_nobody_listens(source):
    with pytest.raises(SourceUnavailable, match="no connection"):
        source(1, "pdu-eastron-sdm630", port=9).poll(NOW)


def test_what_is_no_sunspec_device_and_what_lacks_a_model_are_told(source, plant):
    with pytest.raises(SourceUnavailable, match="the letters SunS stand at none of 40000, 0, 50000"):
        source(8, "sunspec-inverter").poll(NOW)
    assert fields(source(9, "sunspec-inverter").poll(NOW))["inverter.state_code"] == 4
    wanted = read_map("sunspec-inverter").model_copy(update={"models": read_map("sunspec-battery").models})
    plant.devices["9"]["holding"] = {
        key: 701 if value == 802 else value for key, value in plant.devices["9"]["holding"].items()
    }
    plant.save()
    one = source(9, wanted)
    with pytest.raises(SourceUnavailable, match="the device has no SunSpec model 802"):
        one.poll(NOW)


def test_a_chain_of_models_that_never_ends_is_told(source, plant):
    held = plant.devices["9"]["holding"]
    held.update({str(40002 + k): 0 for k in range(300)})  # id 0, length 0, for ever
    plant.save()
    with pytest.raises(SourceUnavailable, match="does not end"):
        source(9, "sunspec-inverter").poll(NOW)


@contextmanager
def speaking(*answers):
    """A TCP server that answers each request with the next of ``answers`` and then closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                peer, _ = listener.accept()
                for answer in answers:
                    peer.recv(1000)
                    peer.sendall(answer)
                peer.close()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
        bytes.fromhex("0001 0000 0007 01 04 04 4600"),  # half an answer
        bytes.fromhex("0001 0000 0005 01 04 02 4600"),  # one register where more were asked for
        bytes.fromhex("0099 0000 0007 01 04 04 46000000"),  # an answer to another question
    ],
)
def test_what_is_no_answer_is_a_silence(source, answer):
    with speaking(answer) as port, pytest.raises(SourceUnavailable):
        source(1, "pdu-eastron-sdm630", port=port, timeout_s=0.4).poll(NOW)


def test_numbers_as_they_stand_on_the_wire():
    assert number([0x41C8, 0x0000], "float32") == 25.0
    assert number([0x0000, 0x41C8], "float32", little_words=True) == 25.0
    assert number([0xC841, 0x0000], "float32", swapped_bytes=True) == 25.0
    assert number([0xFFFE], "int16") == -2
    assert number([0xFFFE], "uint16") == 65534
    assert number([1, 0], "uint32") == 65536
    assert number([0xFFFF] * 4, "int64") == -1
    assert number([0x8000], "sunspec_int16") is None
    assert number([0, 0], "sunspec_acc32") is None


def test_requests_are_few_and_within_bounds():
    wanted = [("holding", 0, 2), ("holding", 4, 1), ("holding", 20, 1), ("input", 5, 2), ("holding", 4, 1)]
    assert blocks(wanted, gap=8, most=100) == [
        Block("holding", 0, 5),
        Block("holding", 20, 21),
        Block("input", 5, 7),
    ]
    assert blocks(wanted, gap=0, most=100)[0] == Block("holding", 0, 2)
    whole = [("holding", k, 2) for k in range(0, 300, 2)]
    assert [b.end - b.start for b in blocks(whole, gap=8, most=125)] == [124, 124, 52]


def test_a_bad_map_is_told_everything_at_once(tmp_path):
    text = """
title = "x"
source = "y"
evidence = "assumed"
most = 3
wordorder = "little"

[[registers]]
address = 65535
type = "float32"
metric = "chiller.supply_c"
unit = "kW"

[[registers]]
table = "coil"
address = 0
bit = 1
metric = "chiller.running"

[[registers]]
address = 70000
type = "float16"
metric = "chillersupply"

[[registers]]
address = 5
bit = 16
metric = "chiller.running"
"""
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_map("bad.toml", tmp_path)
    told = {fault.pointer: fault.message for fault in caught.value.faults}
    assert told.keys() == {
        "wordorder",
        "registers[0].unit",
        "registers[0].address",
        "registers[1].table",
        "registers[2].address",
        "registers[2].type",
        "registers[2].metric",
        "registers[3].bit",
    }
    assert "did you mean word_order?" in told["wordorder"]
    assert "'kW' is a unit of power, 'degC' is wanted" in told["registers[0].unit"]
    twice = {"address": 5, "metric": "chiller.supply_c"}
    with pytest.raises(InvalidInput, match=r"chiller\.supply_c already stands at registers\[0\]"):
        validated(RegisterMap, {"title": "", "source": "", "evidence": "prior", "registers": [twice, twice]}, "m")


@pytest.mark.parametrize(
    ("name", "told"),
    [("pdu-x", "no map that ships"), ("no.toml", "check the path"), ("half.toml", "not TOML"), ("../x", "no map")],
)
def test_a_map_that_is_not_there_is_told(tmp_path, name, told):
    (tmp_path / "half.toml").write_text("title = ")
    with pytest.raises(InvalidInput, match=told):
        read_map(name, tmp_path)
