"""Which job has which GPU of this machine: one file a job, written by the scheduler's prolog, removed by its epilog.

``<run_dir>/placement/<anything>`` holds ``{"job": "llm-7", "gpus": [0, 1]}``; GPUs by index or UUID. A few lines of
shell can write that within milliseconds, with the agent alive or not. A file that cannot be read places nothing.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from agent.machine import Gpu

_log = logging.getLogger("chergui.agent")


class Placement:
    """Reads the folder at each look; files that did not change are not parsed again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, tuple[tuple[int, int, int], str, tuple[str, ...]]] = {}

    @property
    def known(self) -> bool:
        """Whether anybody says here who has which GPU: a prolog makes the folder; an empty one means free GPUs."""
        return self._folder.is_dir()

    def jobs(self, gpus: list[Gpu]) -> dict[str, tuple[str, ...]]:
        """Jobs by UUID of the GPU."""
        try:
            files = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
        except OSError:
            files = []
        parsed = {path.name: found for path in files if (found := self._read(path)) is not None}
        self._parsed = parsed
        placed: dict[str, list[str]] = {}
        for _, job, named in parsed.values():
            for gpu in gpus:
                if gpu.uuid in named or str(gpu.index) in named:
                    placed.setdefault(gpu.uuid, []).append(job)
        return {uuid: tuple(names) for uuid, names in placed.items()}

    def _read(self, path: Path) -> tuple[tuple[int, int, int], str, tuple[str, ...]] | None:
        try:
            told = path.stat()
            stamp = (told.st_mtime_ns, told.st_size, told.st_ino)
            known = self._parsed.get(path.name)
            if known is not None and known[0] == stamp:
                return known
            raw = json.loads(path.read_text(encoding="utf-8"))
            return stamp, str(raw["job"]), tuple(str(gpu) for gpu in raw["gpus"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("placement %s is not understood: %s", path.name, error)
            return None
