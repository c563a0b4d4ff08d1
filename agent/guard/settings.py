"""The guard's configuration: one TOML file, every fault in it named at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.guard.law import Law
from agent.table import Table, read_file

CONFIG = Path("/etc/chergui/guard.toml")
_TYPES = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
_TO_MW = {"W": 1e-6, "kW": 1e-3, "MW": 1.0}


@dataclass(frozen=True, slots=True)
class MeterPlace:
    """Where the meter is. ``kind`` is http or modbus; ``scale`` makes MW, import positive."""

    kind: str
    scale: float
    timeout_s: float
    url: str = ""
    pointer: str = ""
    key_file: Path | None = None
    host: str = ""
    port: int = 502
    unit: int = 1
    address: int = 0
    table: str = "input"
    type_: str = "float32"
    low_word_first: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """One site's guard."""

    law: Law
    meter: MeterPlace
    period_s: float
    stuck_s: float
    most_mw: float
    host: str
    port: int
    file: Path | None


def read_settings(path: Path) -> Settings:
    """Checked settings of a file.

    Raises:
        InvalidInput: the file cannot be read, or with every fault in it.
    """
    return read_file(path, _settings)


def _settings(top: Table) -> Settings:
    limit = top.needed("limit_mw", 1e-6, 1e5)
    flexible = top.needed("flexible_mw", 1e-6, 1e5)
    meter, listen, law = top.table("meter"), top.table("listen"), top.table("law")
    base = Law(limit, flexible)
    rule = Law(
        limit,
        flexible,
        cut_at=law.number("cut_at", base.cut_at, 0.5, 1.0),
        aim_at=law.number("aim_at", base.aim_at, 0.4, 1.0),
        rise_under=law.number("rise_under", base.rise_under, 0.3, 1.0),
        rise_per_s=law.number("rise_per_s", base.rise_per_s, 1e-5, 1.0),
        settle_s=law.number("settle_s", base.settle_s, 0.0, 60.0),
        calm_s=law.number("calm_s", base.calm_s, 0.0, 3600.0),
        lost_after_s=law.number("lost_after_s", base.lost_after_s, 0.1, 60.0),
        patience_s=law.number("patience_s", base.patience_s, 0.0, 600.0),
        lowest=law.number("lowest", base.lowest, 0.0, 1.0),
    )
    if not rule.rise_under < rule.aim_at < rule.cut_at:
        law.fault("aim_at", "out_of_order", "rise_under < aim_at < cut_at, else the factor hunts")
    settings = Settings(
        law=rule,
        meter=_meter(meter),
        period_s=top.number("period_s", 1.0, 0.05, 5.0),
        stuck_s=meter.number("stuck_s", 60.0, 0.0, 3600.0),
        most_mw=meter.number("most_mw", 3 * limit, 1e-6, 1e6),
        host=listen.text("host", "127.0.0.1") or "127.0.0.1",
        port=int(listen.number("port", 8710, 0, 65535)),
        file=listen.path("file", Path("/run/chergui-guard/factor.json")),
    )
    for table in (meter, listen, law, top):
        table.done()
    return settings


def _meter(meter: Table) -> MeterPlace:
    kind = meter.text("kind", "http", ("http", "modbus")) or "http"
    unit = meter.text("power_unit", "kW", tuple(_TO_MW)) or "kW"
    sign = -1.0 if meter.flag("export_positive", False) else 1.0
    scale = _TO_MW[unit] * sign * meter.number("factor", 1.0, 1e-9, 1e9)
    timeout = meter.number("timeout_s", 0.8, 0.05, 30.0)
    if kind == "http":
        url, pointer = meter.text("url") or "", meter.text("pointer") or ""
        if not url.startswith(("http://", "https://")):
            meter.fault("url", "not_url", f"{url!r} is no address; write http://host:port/path")
        if not pointer.startswith("/"):
            meter.fault("pointer", "not_pointer", f"{pointer!r} is no JSON pointer; write /grid/power")
        return MeterPlace(kind, scale, timeout, url=url, pointer=pointer, key_file=meter.path("key_file"))
    host = meter.text("host") or ""
    if not host:
        meter.fault("host", "missing", "a Modbus meter needs its host")
    return MeterPlace(
        kind,
        scale,
        timeout,
        host=host,
        port=int(meter.number("port", 502, 1, 65535)),
        unit=int(meter.number("unit", 1, 0, 255)),
        address=int(meter.needed("address", 0, 65535)),
        table=meter.text("table", "input", ("input", "holding")) or "input",
        type_=meter.text("type", "float32", _TYPES) or "float32",
        low_word_first=meter.flag("low_word_first", False),
    )
