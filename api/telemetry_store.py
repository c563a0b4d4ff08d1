"""The telemetry store of a site: embedded, or the InfluxDB that its file names, behind a spool of each process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from api import logs
from api.settings import Settings
from ingest.clock import SystemClock
from ingest.errors import StoreUnavailable
from ingest.ports import Clock, TelemetryStore
from ingest.spool import Spool
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.layout import Retention
from ingest.stores.spooled import SpooledStore
from models.site import Site
from models.telemetry import InfluxServer

if TYPE_CHECKING:
    from ingest.stores.influx import InfluxStore

_TIDY_S = 3600.0
_FIRST_S = 120.0
_log = logs.get("telemetry")


def store_for(settings: Settings, site: Site, clock: Clock, process: str) -> TelemetryStore:
    """The store that ``process`` (web, collector, planner) reads and writes.

    Raises:
        StoreUnavailable: the file or the spool cannot be opened, or belongs to a process that runs already.
        SourceUnavailable: the token's file cannot be read.
    """
    server = site.telemetry.influxdb
    if server is None:
        return embedded_for(settings, site, clock)
    spool = Spool(settings.data_dir / f"spool-{process}", max_bytes=server.spool_mib << 20)
    store = SpooledStore(spool, influx_for(server, settings.site_path.parent))
    store.start()
    return store


def store_beside(settings: Settings, site: Site) -> TelemetryStore | None:
    """The store for a command beside the service: no spool, which belongs to a process that runs; None: no file yet.

    Raises:
        StoreUnavailable: the file cannot be opened.
        SourceUnavailable: the token's file cannot be read.
    """
    if site.telemetry.influxdb is not None:
        return influx_for(site.telemetry.influxdb, settings.site_path.parent)
    return embedded_for(settings, site, SystemClock()) if settings.telemetry_path.is_file() else None


def embedded_for(settings: Settings, site: Site, clock: Clock) -> EmbeddedStore:
    """The embedded store, whatever the site file names."""
    keep = site.telemetry.keep
    retention = Retention(keep.raw_days, keep.minute_days, keep.quarter_days)
    return EmbeddedStore(settings.telemetry_path, clock=clock, retention=retention)


def influx_for(server: InfluxServer, folder: Path) -> InfluxStore:
    """An InfluxDB without a spool; ``folder`` is where relative paths begin.

    Raises:
        SourceUnavailable: the token's file cannot be read.
    """
    from ingest.sources.http import secret  # heavy, as what comes with httpx is
    from ingest.stores.influx import InfluxStore

    token = None if server.token_file is None else secret(folder / server.token_file)
    return InfluxStore(server.url, server.bucket, org=server.org, token=token, timeout_s=server.timeout_s)


def keep_tidy(store: TelemetryStore, stop: threading.Event) -> None:
    """Every hour until ``stop``: move days that are over to files, drop what is no longer kept. One process does it."""
    if not isinstance(store, EmbeddedStore):
        return
    wait_s = _FIRST_S
    while not stop.wait(wait_s):
        wait_s = _TIDY_S
        try:
            done = store.tidy()
        except StoreUnavailable as error:
            _log.error("not_tidied", reason=error.reason)
        else:
            if done.moved or done.dropped:
                _log.info("tidied", days=len(done.moved), waiting=len(done.waiting), dropped=done.dropped)
