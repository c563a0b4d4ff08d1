"""A real Mosquitto: what is published with quality of service 1 arrives, whoever is killed or full in between."""

from __future__ import annotations

import json
import random
import shutil
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from processes import binary, free_port, listens, running, wait_for

from ingest.clock import SystemClock
from ingest.collector import Collector
from ingest.errors import SourceUnavailable, StoreFull
from ingest.sources.mqtt.source import Login, MqttSource
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.memory import MemoryStore
from models.telemetry import TopicRow

pytestmark = pytest.mark.peer
ROW = TopicRow(topic="t/{asset}", format="json", time="t", time_unit="ms", metric="pdu.power_mw")
START_MS = 1_780_315_200_000
KILLED = Path(__file__).resolve().parents[2] / "peers" / "mqtt_collector.py"


class Broker:
    """A Mosquitto that can be stopped and started again with what it keeps."""

    def __init__(self, folder, stack, *lines, port=None):
        self.folder, self.stack = folder, stack
        self.port = port or free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"persistence true\npersistence_location {folder}/\nmax_queued_messages 100000\n"
            f"user root\nlistener {self.port} 127.0.0.1\n" + "\n".join(lines) + "\n"
        )
        self.start()

    def start(self):
        command = [binary("mosquitto", "MQTT"), "-c", str(self.config)]
        self.life = ExitStack()
        self.stack.push(self.life)
        self.life.enter_context(running(command, self.folder / f"log{time.monotonic_ns()}", lambda: listens(self.port)))

    def stop(self):
        self.life.close()


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def broker(tmp_path, stack):
    return Broker(tmp_path, stack, "allow_anonymous true")


@pytest.fixture
def source(broker, stack):
    def make(client_id="us", rows=(ROW,), login=None, **more):
        made = MqttSource("m", login or Login("127.0.0.1", broker.port), rows, {"site": "s"}, client_id, **more)
        stack.callback(made.close)
        return made

    return make


@pytest.fixture
def publish(broker, stack):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="they", protocol=mqtt.MQTTv5)
    client.connect_async("127.0.0.1", broker.port)
    client.loop_start()
    stack.callback(client.loop_stop)
    stack.callback(client.disconnect)
    wait_for(client.is_connected, "publisher")

    def send(topic, payload, qos=1, retain=False):
        body = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        return client.publish(topic, body, qos, retain)

    def numbers(first, last):
        sent = [send(f"t/a{k % 7}", {"t": START_MS + k, "value": k / 1000}) for k in range(first, last)]
        for one in sent:
            one.wait_for_publish(20)
            assert one.is_published()

    send.numbers = numbers
    return send


def listening(source):
    """Until it has subscribed."""
    source.poll(datetime.now(UTC))
    wait_for(lambda: source._connected and not source._error, "subscription")
    time.sleep(0.2)


def kept(store):
    start = datetime.fromtimestamp(START_MS / 1000, UTC)
    return sorted(
        s.time_ns // 10**6 - START_MS for s in store.raw("pdu.power_mw", {}, start, start + timedelta(days=1))
    )


def drained(source, count, seconds=20.0):
    points = []
    deadline = time.monotonic() + seconds
    while len(points) < count and time.monotonic() < deadline:
        batch = source.poll(datetime.now(UTC))
        points += batch
        if batch:
            source.settle(batch, True)
    return points


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_every_message_becomes_a_point_once(source, publish, version):
    one = source(version=version)
    listening(one)
    publish.numbers(0, 1000)
    points = drained(one, 1000)
    assert sorted(p.time_ns for p in points) == [(START_MS + k) * 10**6 for k in range(1000)]
    assert {p.tags for p in points} == {(("asset", f"a{k}"), ("site", "s")) for k in range(7)}
    assert one.poll(datetime.now(UTC)) == []
    one.close()
    again = source(version=version)
    assert again.poll(datetime.now(UTC)) == [], "all of them were acknowledged"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_was_not_kept_comes_again(source, publish, version):
    one = source(version=version)
    listening(one)
    publish.numbers(0, 15)  # for 3.1.1, Mosquitto has at most 20 out
    lost = []
    while len(lost) < 15:
        batch = one.poll(datetime.now(UTC))
        lost += batch
        if batch:
            one.settle(batch, False)
        if len(lost) < 15 and one._again:
            break
    points = drained(one, 15)
    assert {p.time_ns for p in points} == {(START_MS + k) * 10**6 for k in range(15)}
    assert one.poll(datetime.now(UTC)) == []


def test_messages_that_come_while_we_are_away_wait_at_the_broker(source, publish, broker):
    one = source()
    listening(one)
    one.close()
    publish.numbers(0, 300)
    assert len(drained(source(), 300)) == 300


def test_a_broker_that_restarts_is_found_again(source, publish, broker):
    one = source()
    listening(one)
    publish.numbers(0, 10)
    assert len(drained(one, 10)) == 10
    time.sleep(0.5)  # the broker has read our acknowledgements, or it would rightly send all of them again
    broker.stop()
    wait_for(lambda: not one._connected, "loss")
    with pytest.raises(SourceUnavailable, match="connection"):
        one.poll(datetime.now(UTC))
    broker.start()
    wait_for(lambda: one._connected, "return")
    publish.numbers(10, 20)
    assert len(drained(one, 10)) == 10


def test_a_store_that_is_full_makes_the_broker_wait_not_our_memory(source, publish):
    class Fussy(MemoryStore):
        full = True

        def write(self, batch):
            if self.full:
                raise StoreFull("fussy", "no room")
            return super().write(batch)

    store = Fussy()
    one = source(in_flight=50)
    collector = Collector([one], store, SystemClock())
    listening(one)
    publish.numbers(0, 2000)
    for _ in range(5):
        collector.poll_due()
        time.sleep(0.06)
    assert collector.waiting <= 50
    store.full = False
    deadline = time.monotonic() + 30
    while len(kept(store)) < 2000 and time.monotonic() < deadline:
        collector.poll_due()
        time.sleep(0.01)  # as the service waits between its turns: a loop without rest starves the client's thread
    assert kept(store) == list(range(2000))


def test_a_collector_that_is_killed_loses_and_doubles_nothing(tmp_path, broker, publish):
    path = tmp_path / "telemetry.db"
    chance = random.Random(7)
    command = [sys.executable, str(KILLED), str(broker.port), str(path)]
    sent = 0
    for round_ in range(6):
        child = subprocess.Popen(command)
        if round_ == 0:
            time.sleep(3.0)  # the broker must know the session before it can keep anything for it
        for _ in range(4):
            publish.numbers(sent, sent + 250)
            sent += 250
        time.sleep(chance.uniform(0.0, 0.5))
        child.kill()
        child.wait()
    child = subprocess.Popen(command)
    try:
        store = EmbeddedStore(path)
        wait_for(lambda: len(kept(store)) >= sent, "the rest", 40)
        assert kept(store) == list(range(sent))
        flags = {str(sample.value) for sample in store.latest("quality.flags", {})}
        assert not [told for told in flags if "dup_conflict" in told]
        store.close()
    finally:
        child.kill()
        child.wait()


def test_odd_messages_are_acknowledged_counted_and_block_nothing(source, publish):
    one = source()
    listening(one)
    for payload in (b"\xff", "{", "{}", json.dumps({"t": START_MS, "value": "x"})):
        publish("t/a", payload)
    publish("elsewhere", "1")
    publish.numbers(0, 3)
    assert len(drained(one, 3)) == 3
    assert set(one.unreadable) == {
        "t/{asset}: the payload is not UTF-8",
        "t/{asset}: the payload is no JSON",
        "t/{asset}: there is no 't' in it",
        "t/{asset}: a str came where a number belongs",
    }
    one.close()
    assert source().poll(datetime.now(UTC)) == []


def test_retained_messages_without_a_time_are_left_out(source, publish):
    rows = [TopicRow(topic="r/{asset}", metric="pdu.power_mw"), ROW]
    publish("r/old", "1", retain=True).wait_for_publish(5)
    publish("t/old", {"t": START_MS, "value": 2}, retain=True).wait_for_publish(5)
    one = source(rows=rows)
    points = drained(one, 1)
    assert [dict(p.fields) for p in points] == [{"power_mw": 2.0}]
    wait_for(lambda: one.poll(datetime.now(UTC)) == [] and one.stale == 1, "the stale one")
    publish("r/new", "3")
    assert [dict(p.fields) for p in drained(one, 1)] == [{"power_mw": 3.0}]


def test_nobody_listens_and_a_wrong_password_are_told(source, tmp_path, stack):
    with pytest.raises(SourceUnavailable, match=r"no connection to 127\.0\.0\.1:9"):
        source(login=Login("127.0.0.1", 9)).poll(datetime.now(UTC))
    passwords = tmp_path / "passwords"
    subprocess.run([binary("mosquitto_passwd", "MQTT"), "-b", "-c", str(passwords), "chergui", "good"], check=True)
    access = tmp_path / "access"
    access.write_text("user chergui\ntopic read t/#\n")
    folder = tmp_path / "closed"
    folder.mkdir()
    closed = Broker(folder, stack, "allow_anonymous false", f"password_file {passwords}", f"acl_file {access}")
    bad = source(login=Login("127.0.0.1", closed.port, "chergui", "bad"))
    with pytest.raises(SourceUnavailable, match="the broker refuses us: Not authorized"):
        bad.poll(datetime.now(UTC))
    good = source(login=Login("127.0.0.1", closed.port, "chergui", "good"))
    assert good.poll(datetime.now(UTC)) == []


def test_tls(source, tmp_path, stack, broker):
    if shutil.which("openssl") is None:
        pytest.skip("NO openssl HERE: TLS is NOT tested")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    folder = tmp_path / "tls"
    folder.mkdir()
    secure = Broker(folder, stack, "allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    trusted = ssl.create_default_context(cafile=str(certificate))
    assert source(login=Login("127.0.0.1", secure.port, tls=trusted)).poll(datetime.now(UTC)) == []
    with pytest.raises(SourceUnavailable, match="no connection"):
        source("other", login=Login("127.0.0.1", secure.port, tls=ssl.create_default_context())).poll(datetime.now(UTC))
