"""The telemetry sources of a site, made from what its file says. Each kind's library is loaded when it is named."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.ports import Source
from ingest.sources.late import LateSource
from models.site import Site

if TYPE_CHECKING:
    import httpx

    from models.telemetry import ModbusDevice, Mqtt, Prometheus, Scrape


MQTT_PERIOD_S = 0.05
"""An MQTT source waits for messages by itself; this is the rest between two waits."""


def sources_of(site: Site, folder: Path, *, trial: bool = False) -> list[Source]:
    """Every source that the site names; ``folder`` is where its relative paths begin.

    A source is made when it is first asked: one whose secret cannot be read yet fails alone, and is tried again.
    ``trial``: without touching the session that the service has at a broker.
    """
    wanted = site.telemetry
    found: list[Source] = []
    if wanted.nvml.enabled:
        found.append(LateSource("nvml", wanted.nvml.period_s, partial(_nvml, site)))
    found += [LateSource(one.name, one.period_s, partial(_scrape, site, one, folder)) for one in wanted.scrape]
    found += [LateSource(one.name, one.period_s, partial(_prometheus, site, one, folder)) for one in wanted.prometheus]
    found += [LateSource(one.name, one.period_s, partial(_modbus, site, one, folder)) for one in wanted.modbus]
    found += [LateSource(one.name, MQTT_PERIOD_S, partial(_mqtt, site, one, folder, trial)) for one in wanted.mqtt]
    return found


def _nvml(site: Site) -> Source:
    from ingest.sources.nvml.source import NvmlSource

    nvml = site.telemetry.nvml
    return NvmlSource(site.name, socket.gethostname(), period_s=nvml.period_s, tags=nvml.tags)


def _client(one: Scrape | Prometheus, folder: Path) -> httpx.Client:
    from ingest.sources.http import client_for

    return client_for(
        timeout_s=one.timeout_s,
        username=one.username,
        password_file=_path(one.password_file, folder),
        token_file=_path(one.token_file, folder),
        ca_file=_path(one.ca_file, folder),
    )


def _scrape(site: Site, one: Scrape, folder: Path) -> Source:
    from ingest.sources.prometheus.profiles import profile
    from ingest.sources.prometheus.scrape import ScrapeSource

    client = _client(one, folder)
    rows = [*one.rows, *(profile(one.profile).rows if one.profile else ())]  # own rows win
    return ScrapeSource(
        one.name,
        one.urls,
        rows,
        {**one.tags, "site": site.name},
        client,
        period_s=one.period_s,
        timeout_s=one.timeout_s,
        max_page_bytes=one.max_page_mib << 20,
    )


def _prometheus(site: Site, one: Prometheus, folder: Path) -> Source:
    from ingest.sources.prometheus.api import PrometheusSource

    client = _client(one, folder)
    return PrometheusSource(
        one.name,
        one.url,
        one.rows,
        {**one.tags, "site": site.name},
        client,
        period_s=one.period_s,
        step_s=one.step_s,
        delay_s=one.delay_s,
        backfill_s=one.backfill_s,
        timeout_s=one.timeout_s,
    )


def _modbus(site: Site, one: ModbusDevice, folder: Path) -> Source:
    from ingest.sources.modbus.link import Link
    from ingest.sources.modbus.register_map import read_map
    from ingest.sources.modbus.source import ModbusSource

    return ModbusSource(
        one.name,
        Link(one.host, one.port, one.device_id, one.timeout_s),
        read_map(one.map, folder),
        {**one.tags, "site": site.name, "asset": one.asset or one.name},
        period_s=one.period_s,
        flip=one.flip,
    )


def _mqtt(site: Site, one: Mqtt, folder: Path, trial: bool) -> Source:
    from ingest.sources.http import secret
    from ingest.sources.mqtt.source import Login, MqttSource

    password_file = _path(one.password_file, folder)
    tls = None
    if one.tls:
        tls = ssl.create_default_context(cafile=None if one.ca_file is None else str(folder / one.ca_file))
    password = None if password_file is None else secret(password_file)
    return MqttSource(
        one.name,
        Login(one.host, one.port, one.username, password, tls),
        one.rows,
        {**one.tags, "site": site.name},
        (one.client_id or f"chergui-{site.name}-{one.name}") + ("-trial" if trial else ""),
        version=one.version,
        keepalive_s=one.keepalive_s,
        session_expiry_s=0 if trial else round(one.session_expiry_h * 3600),
        in_flight=one.in_flight,
        period_s=MQTT_PERIOD_S,
    )


def _path(told: str | None, folder: Path) -> Path | None:
    return None if told is None else folder / told
