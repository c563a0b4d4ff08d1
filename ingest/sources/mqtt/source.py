"""The source: messages as they come, acknowledged to the broker only when their values are on the disk.

The broker keeps a session for us: what we have not acknowledged it sends again after a break of either side, so a
killed process loses nothing that was published with quality of service 1. How many messages may be out at once is told
to the broker (MQTT 5, receive maximum), which bounds our memory while the store is down; what is published without
quality of service is dropped beyond that, and counted.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.errors import SourceUnavailable
from ingest.points import NS, Point, to_ns
from ingest.sources.mqtt.messages import Rows, Stale
from models.telemetry import TopicRow

_log = logging.getLogger("chergui.ingest.mqtt")
_WAIT_S = 1.0
_MOST_BATCH = 5_000
_WITHOUT_QOS = 10_000


class Login(NamedTuple):
    """How to reach a broker. ``tls`` None: in the clear."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class _Message(NamedTuple):
    topic: str
    payload: bytes
    arrived: float
    retained: bool
    mid: int
    qos: int
    session: int


class MqttSource:
    """Points of the topics that ``rows`` name. One instance owns ``client_id`` at its broker; with ``session_expiry_s``
    0 the broker forgets it when it leaves.

    ``unreadable`` counts messages by what is wrong with them, ``stale`` retained ones without a time of their own,
    ``dropped`` those without quality of service that came too fast.
    """

    def __init__(
        self,
        name: str,
        login: Login,
        rows: Sequence[TopicRow],
        tags: Mapping[str, str],
        client_id: str,
        *,
        version: str = "5",
        keepalive_s: int = 30,
        session_expiry_s: int = 86_400,
        in_flight: int = 2_000,
        period_s: float = 0.05,
    ) -> None:
        self.name = name
        self.period_s = period_s
        self.unreadable: dict[str, int] = {}
        self.stale = 0
        self.dropped = 0
        self._login, self._rows, self._client_id = login, Rows(rows, tags), client_id
        self._five = version == "5"
        self._keepalive_s, self._expiry_s, self._in_flight = keepalive_s, session_expiry_s, in_flight
        self._client: mqtt.Client | None = None
        self._here = threading.Condition()
        self._queue: deque[_Message] = deque()
        self._session = 0
        self._connected = False
        self._error = "no connection yet"
        self._handed: dict[int, tuple[Sequence[Point], list[_Message]]] = {}
        self._again = False

    def poll(self, now: datetime) -> Sequence[Point]:
        """Values of the messages that came since the poll before; waits up to a second for the first.

        Raises:
            SourceUnavailable: the broker is away, or refuses us.
        """
        if self._again:
            self._stop()  # what the store would not take comes again with a new connection
        self._start()
        with self._here:
            self._here.wait_for(lambda: self._queue, _WAIT_S)
            messages = [self._queue.popleft() for _ in range(min(_MOST_BATCH, len(self._queue)))]
            error = "" if self._connected and not self._error else self._error
        if not messages:
            if error:
                raise SourceUnavailable(self.name, error)
            return []
        points = self._points(messages, now)
        if points:
            self._handed[id(points)] = (points, messages)
        else:
            self._acknowledge(messages)
        return points

    def settle(self, batch: Sequence[Point], kept: bool) -> None:
        """See Settling."""
        _, messages = self._handed.pop(id(batch))
        if kept:
            self._acknowledge(messages)
        elif any(message.qos for message in messages):
            self._again = True

    def close(self) -> None:
        """Leave the broker; what is not acknowledged stays there for the next start."""
        self._stop()

    def _points(self, messages: Sequence[_Message], now: datetime) -> list[Point]:
        points: list[Point] = []
        now_ns, clock = to_ns(now), time.monotonic()
        for message in messages:
            arrived_ns = now_ns - int((clock - message.arrived) * NS)
            try:
                found, bad = self._rows.points(message.topic, message.payload, arrived_ns, retained=message.retained)
            except Stale:
                self.stale += 1
                continue
            points += found
            for why in bad:
                if why not in self.unreadable:
                    _log.warning("source %s: a message of %s is left out: %s", self.name, message.topic, why)
                self.unreadable[why] = self.unreadable.get(why, 0) + 1
        return points

    def _acknowledge(self, messages: Sequence[_Message]) -> None:
        """Tell the broker; what came over an earlier connection it sends again by itself."""
        client = self._client
        if client is None:
            return
        for message in messages:
            if message.qos and message.session == self._session:
                client.ack(message.mid, message.qos)

    def _start(self) -> None:
        if self._client is not None:
            return
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5 if self._five else mqtt.MQTTv311,
            clean_session=None if self._five else self._expiry_s == 0,
            manual_ack=True,
        )
        if self._login.username is not None:
            client.username_pw_set(self._login.username, self._login.password)
        if self._login.tls is not None:
            client.tls_set_context(self._login.tls)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_subscribe = self._on_connect_fail, self._on_subscribe
        client.on_message = self._on_message
        more: dict[str, Any] = {}
        if self._five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._expiry_s
            properties.ReceiveMaximum = self._in_flight
            more = {"clean_start": False, "properties": properties}
        client.connect_async(self._login.host, self._login.port, self._keepalive_s, **more)
        client.loop_start()
        self._client = client

    def _stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
        with self._here:
            self._session += 1
            self._connected, self._again = False, False
            self._forget()

    def _forget(self) -> None:
        """Drop what the broker will send again over the next connection."""
        self._queue = deque(message for message in self._queue if not message.qos)

    def _on_connect(self, client: mqtt.Client, _: Any, __: Any, reason: Any, ___: Any = None) -> None:
        with self._here:
            self._session += 1
            self._forget()
            self._connected = not reason.is_failure
            self._error = f"the broker refuses us: {reason}" if reason.is_failure else ""
        if reason.is_failure:
            return
        if self._five:  # retained messages once, not at every reconnection
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe([(topic, options) for topic in self._rows.filters])
        else:
            client.subscribe([(topic, 1) for topic in self._rows.filters])

    def _on_subscribe(self, _: Any, __: Any, ___: Any, reasons: Any, ____: Any = None) -> None:
        refused = [topic for topic, reason in zip(self._rows.filters, reasons, strict=False) if reason.is_failure]
        with self._here:
            self._error = f"the broker refuses the topics {', '.join(refused)}" if refused else ""
        if refused:
            _log.warning("source %s: %s", self.name, self._error)

    def _on_disconnect(self, _: Any, __: Any, ___: Any, reason: Any, ____: Any = None) -> None:
        with self._here:
            self._connected = False
            if not self._error:
                self._error = f"the connection to the broker was lost: {reason}"

    def _on_connect_fail(self, *_: Any) -> None:
        with self._here:
            self._connected = False
            self._error = f"no connection to {self._login.host}:{self._login.port}"

    def _on_message(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        kept = _Message(
            message.topic,
            bytes(message.payload),
            time.monotonic(),
            message.retain,
            message.mid,
            message.qos,
            self._session,
        )
        with self._here:
            if not message.qos and len(self._queue) >= self._in_flight + _WITHOUT_QOS:
                self.dropped += 1
                return
            self._queue.append(kept)
            self._here.notify()
