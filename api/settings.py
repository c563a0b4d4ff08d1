"""What ``chergui run`` was asked for, handed to its child processes as one JSON text."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from models.horizon import parse_rfc3339

MAX_BODY = 8 * 1024 * 1024
"""Bytes that a request body may have, after decompression."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's service. ``shift_s`` moves its clock (``--now``); ``lease_s`` overrides the pools' leases.

    ``scenario`` names that of a simulated site, ``replay`` the data folder whose telemetry comes again; the clock of
    both runs ``speed`` times as fast from ``origin_s`` on (seconds of the machine's clock since the epoch).
    """

    site_path: Path
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    shift_s: float = 0.0
    lease_s: float | None = None
    allowed_hosts: tuple[str, ...] = ()
    scenario: str | None = None
    replay: str | None = None
    speed: float = 1.0
    origin_s: float = 0.0

    @property
    def state_path(self) -> Path:
        """State database."""
        return self.data_dir / "state.db"

    @property
    def telemetry_path(self) -> Path:
        """Telemetry store."""
        return self.data_dir / "telemetry.db"

    @property
    def run_dir(self) -> Path:
        """Signs of life and process ids."""
        return self.data_dir / "run"

    @property
    def collector_path(self) -> Path:
        """What the collector last said of its sources."""
        return self.run_dir / "collector.json"

    @property
    def memo_path(self) -> Path:
        """These settings as they were last run, for ``chergui mode``."""
        return self.run_dir / "settings.json"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def began(self) -> datetime:
        """Instant that the service's clock showed when a simulation or a replay began, to the millisecond."""
        return datetime.fromtimestamp(round(self.origin_s + self.shift_s, 3), UTC)

    def to_json(self) -> str:
        """For a child process' command line; there are no secrets in it."""
        return json.dumps({**asdict(self), "site_path": str(self.site_path), "data_dir": str(self.data_dir)})

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """As :meth:`to_json` wrote it."""
        raw = json.loads(text)
        raw |= {"site_path": Path(raw["site_path"]), "data_dir": Path(raw["data_dir"])}
        return cls(**{**raw, "allowed_hosts": tuple(raw["allowed_hosts"])})

    @property
    def is_apart(self) -> bool:
        """Whether nothing here touches a real site: a simulation or a replay."""
        return self.scenario is not None or self.replay is not None

    def simulating(self, scenario: str, speed: float, clock: datetime) -> Settings:
        """For a simulated site from the machine's instant ``clock`` on, in a data folder of its own."""
        return replace(self._apart(scenario, speed, clock), scenario=scenario)

    def replaying(self, record: Path, speed: float, clock: datetime) -> Settings:
        """For telemetry of the data folder ``record`` again, in a data folder of its own."""
        return replace(self._apart("replay", speed, clock), replay=str(record))

    def _apart(self, name: str, speed: float, clock: datetime) -> Settings:
        folder = self.data_dir / "simulated" / f"{clock:%Y%m%dT%H%M%S}-{name}"
        return replace(self, data_dir=folder, speed=speed, origin_s=clock.timestamp())

    def shown_at(self, now: datetime | None, clock: datetime) -> Settings:
        """With a clock that shows ``now`` at the machine's instant ``clock``; None: unmoved."""
        return self if now is None else replace(self, shift_s=(now - clock).total_seconds())


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def default_data_dir() -> Path:
    """Where an installed service keeps its data unless it is told: ``$XDG_DATA_HOME/chergui``, or the like of it."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "chergui"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "chergui"


def moment_option(text: str | None) -> datetime | None:
    """Instant of a ``--now`` option.

    Raises:
        ValueError: not RFC 3339 with an offset.
    """
    return None if text is None else parse_rfc3339(text)
