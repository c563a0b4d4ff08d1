"""What the machine gives: a place to write, a clock, time-zone data, a GPU driver, a port."""

from __future__ import annotations

import ctypes
import errno
import importlib.metadata
import importlib.resources
import os
import shutil
import socket
import sqlite3
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from models.horizon import rfc3339

from .finding import Finding

_LEAST_FREE_BYTES = 1 << 30
_SQLITE_MAGIC = b"SQLite format 3\x00"


def stores(data_dir: Path) -> Iterator[Finding]:
    """The data directory takes a durable write, the disk has room, and each database there is sound."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=data_dir, prefix=".doctor-") as probe:
            probe.write(b"chergui")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        mend = "name a directory that the service's user may write: --data-dir"
        yield Finding("stores", "fail", f"cannot write in {data_dir}: {error.strerror}", mend)
        return
    free = shutil.disk_usage(data_dir).free
    if free < _LEAST_FREE_BYTES:
        yield Finding("stores", "warn", f"only {free / 2**20:.0f} MiB free in {data_dir}", "make room: 1 GiB or more")
    databases = [path for path in sorted(data_dir.rglob("*")) if _is_database(path)]
    for path in databases:
        yield from _database(path)
    yield Finding(
        "stores",
        "ok",
        f"{data_dir} is writable, {free / 2**30:.1f} GiB free, {len(databases)} database(s), "
        f"SQLite {sqlite3.sqlite_version}",
    )


def _is_database(path: Path) -> bool:
    if not path.is_file() or path.suffix in {".lock", ".sock"}:
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC


def _database(path: Path) -> Iterator[Finding]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as database:
            answer = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        yield Finding(
            "stores", "fail", f"{path} is damaged: {answer}", "stop the service and bring the file back from a backup"
        )


def clock(now: datetime) -> Iterator[Finding]:
    """The wall clock is plausible, the monotonic one moves forward, and whether the kernel calls it set."""
    first = time.monotonic()
    time.sleep(0.01)
    if not 0.009 < time.monotonic() - first < 5:
        yield Finding("clock", "fail", "the monotonic clock does not move with time", "leases cannot be kept here")
    built = datetime(2026, 1, 1, tzinfo=UTC)
    if not built <= now <= built + timedelta(days=40 * 365):
        yield Finding("clock", "fail", f"the clock says {rfc3339(now)}", "set the clock (chrony, systemd-timesyncd)")
        return
    synchronised = _kernel_calls_it_synchronised()
    if synchronised:
        yield Finding("clock", "ok", f"{rfc3339(now)}, synchronised says the kernel")
    else:
        said = "not synchronised says the kernel" if synchronised is False else "whether it is synchronised is unknown"
        mend = "run chrony or systemd-timesyncd; agents and schedulers hold their times against this clock"
        yield Finding("clock", "warn", f"{rfc3339(now)}, {said}", mend)


def _kernel_calls_it_synchronised() -> bool | None:
    """``adjtimex(2)`` in its reading form; 5 (TIME_ERROR) is "clock not synchronised"; None where it is not told."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "adjtimex"):
        return None
    state = libc.adjtimex(ctypes.create_string_buffer(512))  # struct timex, modes = 0; 208 bytes on 64-bit Linux
    return None if state < 0 else state != 5


def time_zones(zone: str, now: datetime, system: Sequence[Path] | None = None) -> Iterator[Finding]:
    """Our zone data, and the first instant of the next two years where the system's differ for ``zone``."""
    version = importlib.metadata.version("tzdata")
    ours = _zone_from(importlib.resources.files("tzdata.zoneinfo").joinpath(*zone.split("/")))
    if ours is None:
        yield Finding("time zones", "fail", f"tzdata {version} does not know {zone!r}", "mend the site's time zone")
        return
    folders = _system_folders() if system is None else system
    theirs = next((found for folder in folders if (found := _zone_from(folder / zone))), None)
    if theirs is None:
        yield Finding("time zones", "ok", f"tzdata {version} is used; the system has no data for {zone}")
        return
    begin = now.replace(minute=0, second=0, microsecond=0)
    for moment in (begin + timedelta(hours=k) for k in range(2 * 365 * 24)):
        we, they = (moment.astimezone(z).utcoffset() or timedelta() for z in (ours, theirs))
        if we != they:
            yield Finding(
                "time zones",
                "warn",
                f"tzdata {version} is used; for {zone} the system's data differ from {rfc3339(moment)} on "
                f"({_hours(they)} there, {_hours(we)} here)",
                "chergui is right either way; update the system's tzdata so that cron and schedulers agree",
            )
            return
    yield Finding("time zones", "ok", f"tzdata {version} is used; the system agrees on {zone} for two years")


def _system_folders() -> list[Path]:
    return [Path(part) for part in (sysconfig.get_config_var("TZPATH") or "").split(os.pathsep) if part]


def _zone_from(place: Path | importlib.resources.abc.Traversable) -> ZoneInfo | None:
    if not place.is_file():
        return None
    with place.open("rb") as file:
        return ZoneInfo.from_file(file)


def _hours(offset: timedelta) -> str:
    return f"UTC{offset / timedelta(hours=1):+g}"


def gpus() -> Iterator[Finding]:
    """Whether the driver's library is here and how many devices it sees."""
    try:
        driver = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        yield Finding("gpus", "note", "no NVIDIA driver library here; GPU power is not read on this machine")
        return
    count = ctypes.c_uint()
    code = driver.nvmlInit_v2() or driver.nvmlDeviceGetCount_v2(ctypes.byref(count))
    if code:
        yield Finding("gpus", "warn", f"the NVIDIA driver answers with error {code}", "see what nvidia-smi says")
    else:
        yield Finding("gpus", "ok", f"{count.value} NVIDIA GPU(s) visible")


def port(number: int) -> Iterator[Finding]:
    """Whether the service could listen on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            why = "is in use (by chergui itself, if it runs)" if error.errno == errno.EADDRINUSE else error.strerror
            yield Finding("port", "warn", f"127.0.0.1:{number} {why}", "name another: chergui run --port")
            return
    yield Finding("port", "ok", f"127.0.0.1:{number} is free")
