"""The policy table in its file: read again when it changes; a bad edit keeps the last good table in force."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path

from models.errors import Fault, InvalidInput
from models.job_policy import Policy, read_policy

_log = logging.getLogger("chergui.jobs")


def load_policy(path: Path) -> Policy:
    """Policy of a TOML file.

    Raises:
        InvalidInput: not readable, not TOML, or anything wrong in it; every fault at once.
    """
    what = f"the policy {path}"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(what, [Fault("", "not_toml", f"not TOML: {error}")]) from None
    return read_policy(raw, what)


class PolicyFile:
    """A policy that follows its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._held = load_policy(path)
        self._stamp = self._look()
        self.fault: InvalidInput | None = None
        """What is wrong with the file as it stands, while an earlier table is in force."""

    def now(self) -> Policy:
        """The table in force."""
        stamp = self._look()
        if stamp == self._stamp:
            return self._held
        self._stamp = stamp
        try:
            self._held, self.fault = load_policy(self._path), None
            _log.info("policy read anew: %d row(s)", len(self._held.rows))
        except InvalidInput as error:
            self.fault = error
            _log.error("the policy before this edit stays in force: %s", error)
        return self._held

    def _look(self) -> tuple[int, int, int] | None:
        try:
            told = self._path.stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size, told.st_ino
