"""A line between an agent and the service that can be broken in the ways lines break."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

OPEN, REFUSED, SILENT, DRIPPING, CUT = "open", "refused", "silent", "dripping", "cut"
BROKEN = (REFUSED, SILENT, DRIPPING, CUT)


class FaultyLine:
    """Forwards connections of a free port to ``to``; ``state`` may change at any time, for open connections too."""

    def __init__(self, to: tuple[str, int]) -> None:
        self.state = OPEN
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if self.state == REFUSED:
                return
            with socket.create_connection(self._to, timeout=10) as far:
                back = threading.Thread(target=self._pump, args=(far, near, True), daemon=True)
                back.start()
                self._pump(near, far, False)
                back.join(60)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        source.settimeout(0.1)
        with contextlib.suppress(OSError):
            while True:
                try:
                    data = source.recv(65536)
                except TimeoutError:
                    if self.state == REFUSED:
                        break
                    continue
                if not data:
                    break
                while self.state == SILENT:
                    time.sleep(0.05)
                if answers and self.state == CUT:
                    sink.sendall(data[: len(data) // 2])
                    break
                if answers and self.state == DRIPPING:
                    for byte in data:
                        sink.sendall(bytes([byte]))
                        time.sleep(0.3)
                        if self.state != DRIPPING:
                            break
                    break
                if self.state == REFUSED:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
