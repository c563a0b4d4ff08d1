"""Acknowledged means durable, also when the store is a server that may be away.

A spool is a folder of segment files. A batch is one frame (length, CRC-32, line protocol), flushed
to the disk before :meth:`Spool.append` returns; :meth:`Spool.drain` hands whole batches, oldest
first, to a server and forgets a segment only when all of it was taken. After a crash a batch may be
handed over twice, never not at all: stores take repeats as no-ops. A torn last frame was never
acknowledged and is cut off at the next start.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.errors import StoreFull, StoreUnavailable
from ingest.stores.filelock import exclusive

_log = logging.getLogger("chergui.ingest.spool")
_HEAD = struct.Struct("<II")
_SEGMENT_BYTES = 8 << 20


class Spool:
    """Batches on their way to a server, in ``folder``; at most ``max_bytes`` of them.

    One process owns a folder. Raises StoreBusy where another does.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 1 << 30) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._owner = exclusive(folder / "owner.lock", 0.0, str(folder))
        self._owner.__enter__()
        self._mutex = threading.Lock()
        self._draining = threading.Lock()
        self._segments = sorted(folder.glob("*.spool"))
        self._sizes = {path: _mend(path) for path in self._segments}
        self._number = int(self._segments[-1].stem) if self._segments else 0
        self._tail: int | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much waits for the server."""
        return sum(self._sizes.values())

    def append(self, lines: str) -> None:
        """Keep a batch of line protocol; on the disk when this returns.

        Raises:
            StoreFull: the spool's or the disk's room is used up; nothing was kept.
            StoreUnavailable: the disk failed.
        """
        body = lines.encode()
        frame = _HEAD.pack(len(body), zlib.crc32(body)) + body
        with self._mutex:
            if self.waiting_bytes + len(frame) > self._max_bytes:
                raise StoreFull(str(self._folder), f"{self.waiting_bytes} bytes wait for the server already")
            try:
                self._write(frame)
            except OSError as error:
                self._close_tail(cut=True)
                kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreUnavailable
                raise kind(str(self._folder), str(error)) from error

    def _write(self, frame: bytes) -> None:
        if self._tail is None or self._sizes[self._segments[-1]] >= _SEGMENT_BYTES:
            self._close_tail()
            self._number += 1
            path = self._folder / f"{self._number:012d}.spool"
            self._tail = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            self._segments.append(path)
            self._sizes[path] = 0
            _sync_folder(self._folder)
        view = memoryview(frame)
        while view:
            view = view[os.write(self._tail, view) :]
        os.fdatasync(self._tail)
        self._sizes[self._segments[-1]] += len(frame)

    def _close_tail(self, *, cut: bool = False) -> None:
        if self._tail is not None:
            if cut:  # what was written of a refused batch must not come back
                os.ftruncate(self._tail, self._sizes[self._segments[-1]])
            os.close(self._tail)
            self._tail = None

    def drain(self, send: Callable[[str], None]) -> int:
        """Hand every waiting batch to ``send``, oldest first; returns how many it took.

        Whatever ``send`` raises goes through; that batch and those after it stay.
        """
        taken = 0
        with self._draining:
            while True:
                with self._mutex:
                    if not self._segments:
                        return taken
                    path = self._segments[0]
                    if len(self._segments) == 1:
                        self._close_tail()  # later batches start a new segment
                for lines in _frames(path):
                    send(lines)
                    taken += 1
                with self._mutex:
                    path.unlink()
                    self._segments.remove(path)
                    del self._sizes[path]

    def close(self) -> None:
        """Give up the folder; what waits in it stays."""
        with self._mutex:
            self._close_tail()
        self._owner.__exit__(None, None, None)


def _frames(path: Path) -> Iterator[str]:
    for body, _ in _whole(path.read_bytes()):
        yield body.decode()


def _whole(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole frame's body, and where the frame ends."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(body) < length or zlib.crc32(body) != crc:
            return
        at += _HEAD.size + length
        yield body, at


def _mend(path: Path) -> int:
    data = path.read_bytes()
    end = 0
    for _, end in _whole(data):  # noqa: B007  the last end is wanted
        pass
    if end < len(data):
        _log.warning("cut %d bytes of a batch that was never acknowledged off %s", len(data) - end, path)
        os.truncate(path, end)
    return end


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
