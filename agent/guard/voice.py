"""How the factor reaches the agents: a line a second to every open connection, and a file for this machine.

``GET /factor`` answers with a stream (``application/x-ndjson``) that never ends; ``GET /now`` with the last line. The
stream's silence is a message, too: an agent that hears nothing for its ``ttl_s`` takes the default set.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from pathlib import Path

from agent.guard.law import Word

_BEHIND = 64 * 1024
"""Bytes that a listener may be behind before it is cut off."""
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Voice:
    """Tells words to whoever listens."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._run = secrets.token_hex(8)
        self._seq = 0
        self._line = b""
        self._listeners: set[asyncio.StreamWriter] = set()

    def earlier_share(self) -> float:
        """Where an earlier life left the factor, so that a restart lifts nothing; 1 where none did."""
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                return min(1.0, max(0.0, float(json.loads(self._file.read_bytes())["factor"])))
        return 1.0

    def say(self, word: Word) -> None:
        """Tell a word to all.

        Raises:
            OSError: the file could not be written.
        """
        self._seq += 1
        told = {"run": self._run, "seq": self._seq, "factor": round(word.share, 6), "default": word.default}
        self._line = json.dumps({**told, "reason": word.reason}).encode() + b"\n"
        for writer in list(self._listeners):
            if writer.transport.get_write_buffer_size() > _BEHIND:
                writer.transport.abort()
            if writer.transport.is_closing():
                self._listeners.discard(writer)
            else:
                writer.write(self._line)
        if self._file is not None:
            beside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            beside.write_bytes(self._line)
            beside.replace(self._file)

    @property
    def listeners(self) -> int:
        """How many are connected."""
        return len(self._listeners)

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Take connections; the server's sockets tell the port where 0 was asked for."""
        return await asyncio.start_server(self._connected, host, port, limit=8192)

    async def close(self) -> None:
        """Hang up on all; what was said is still delivered."""
        for writer in list(self._listeners):
            writer.close()
        while self._listeners:
            await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5.0)
            path = head.split(b" ", 2)[1:2]
            if path == [b"/now"]:
                length = f"Content-Type: application/json\r\nContent-Length: {len(self._line)}\r\n"
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length.encode() + b"\r\n" + self._line)
            elif path == [b"/factor"]:
                writer.write(_HEAD + self._line)
                self._listeners.add(writer)
                await reader.read()  # until the other side hangs up
            else:
                writer.write(_NOT_FOUND)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # whoever asked is gone or asked nothing that is a question
        finally:
            self._listeners.discard(writer)
            writer.close()
