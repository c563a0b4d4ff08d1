"""The agent's configuration: one TOML file, every fault in it named at once."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass, field
from pathlib import Path

from agent.machine import Rules
from agent.table import Table, read_file

CONFIG = Path("/etc/chergui/agent.toml")
ACTUATORS = ("dry-run", "nvml-power", "nvml-clocks")


@dataclass(frozen=True, slots=True)
class Settings:
    """One agent. Paths are folders of its own; ``clocks`` are rows (limit W, SM clock MHz), rising."""

    server: str
    node: str
    key_file: Path | None = None
    ca_file: Path | None = None
    pull: str = "node"
    pool: str | None = None
    actuator: str = "dry-run"
    dry_run_gpus: int = 0
    state_dir: Path = Path("/var/lib/chergui-agent")
    run_dir: Path = Path("/run/chergui-agent")
    lock_dir: Path = Path("/run/lock/chergui")
    tick_s: float = 1.0
    timeout_s: float = 5.0
    wait_s: float = 30.0
    max_body_bytes: int = 4 * 1024 * 1024
    report: bool = True
    node_budget_w: float = math.inf
    rules: Rules = field(default_factory=Rules)
    guard_url: str | None = None
    guard_file: Path | None = None
    guard_ttl_s: float = 5.0
    enter: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    hook_timeout_s: float = 30.0
    clocks: tuple[tuple[float, float], ...] = ()

    @property
    def path(self) -> str:
        """What is pulled: the node's caps, or its pool's where placement is known here."""
        return f"/api/v1/caps/pools/{self.pool}" if self.pull == "pool" else f"/api/v1/caps/nodes/{self.node}"

    @property
    def sets(self) -> bool:
        """Whether anything is set at all: a dry run decides, says, and touches nothing."""
        return self.actuator != "dry-run"

    @property
    def has_guard(self) -> bool:
        """Whether a site guard is to be heard."""
        return self.guard_url is not None or self.guard_file is not None


def read_settings(path: Path) -> Settings:
    """Checked settings of a file.

    Raises:
        InvalidInput: the file cannot be read, or with every fault in it.
    """
    return read_file(path, _settings)


def _settings(top: Table) -> Settings:
    base = Settings("", "")
    server = top.text("server") or ""
    if not server.startswith(("http://", "https://")):
        top.fault("server", "not_url", f"{server!r} is no address; write https://host:port")
    pull = top.text("pull", "node", ("node", "pool")) or "node"
    pool = top.text("pool")
    if pull == "pool" and pool is None:
        top.fault("pool", "missing", 'pull = "pool" needs the pool\'s name')
    limits, timers = top.table("limits"), top.table("timers")
    guard, measures, clocks = top.table("guard"), top.table("measures"), top.table("clocks")
    default_w = limits.number("default_w", 0.0, 1.0, 1e5)
    settings = Settings(
        server=server.rstrip("/"),
        node=top.text("node", socket.gethostname()) or "",
        key_file=top.path("key_file"),
        ca_file=top.path("ca_file"),
        pull=pull,
        pool=pool,
        actuator=top.text("actuator", "dry-run", ACTUATORS) or "dry-run",
        dry_run_gpus=int(top.number("dry_run_gpus", 0, 0, 64)),
        state_dir=top.path("state_dir", base.state_dir) or base.state_dir,
        run_dir=top.path("run_dir", base.run_dir) or base.run_dir,
        lock_dir=top.path("lock_dir", base.lock_dir) or base.lock_dir,
        report=top.flag("report", True),
        max_body_bytes=int(top.number("max_body_bytes", base.max_body_bytes, 4096, 1 << 28)),
        node_budget_w=limits.number("node_budget_w", math.inf, 1.0, 1e6),
        rules=Rules(
            default_w=default_w or None,
            ceiling_w=limits.number("ceiling_w", math.inf, 1.0, 1e5),
            dwell_s=timers.number("dwell_s", 300.0, 0.0, 86_400.0),
            ramp_w_per_s=timers.number("ramp_w_per_s", 20.0, 0.1, 1e4),
            jitter_s=timers.number("jitter_s", 60.0, 0.0, 3600.0),
        ),
        tick_s=timers.number("tick_s", 1.0, 0.05, 5.0),
        timeout_s=timers.number("timeout_s", 5.0, 0.1, 60.0),
        wait_s=timers.number("wait_s", 30.0, 0.0, 300.0),
        guard_url=guard.text("url"),
        guard_file=guard.path("file"),
        guard_ttl_s=guard.number("ttl_s", 5.0, 0.2, 300.0),
        enter=measures.words("enter"),
        leave=measures.words("leave"),
        hook_timeout_s=measures.number("timeout_s", 30.0, 0.1, 600.0),
        clocks=clocks.pairs("table"),
    )
    if settings.actuator == "nvml-clocks" and not settings.clocks:
        clocks.fault("table", "missing", 'actuator = "nvml-clocks" needs rows [limit in W, SM clock in MHz]')
    if settings.guard_url is not None and not settings.guard_url.startswith("http://"):
        guard.fault("url", "not_url", f"{settings.guard_url!r} is no address; write http://host:port/factor")
    for table in (top, limits, timers, guard, measures, clocks):
        table.done()
    return settings
