"""A collector with one MQTT source in a process of its own, to be killed: ``mqtt_collector.py PORT DATABASE``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from ingest.clock import SystemClock
from ingest.collector import Collector
from ingest.sources.mqtt.source import Login, MqttSource
from ingest.stores.embedded import EmbeddedStore
from models.telemetry import TopicRow

if __name__ == "__main__":
    row = TopicRow(topic="t/{asset}", format="json", time="t", time_unit="ms", metric="pdu.power_mw")
    source = MqttSource("m", Login("127.0.0.1", int(sys.argv[1])), [row], {"site": "s"}, "killed", in_flight=200)
    Collector([source], EmbeddedStore(Path(sys.argv[2])), SystemClock()).run(threading.Event())
