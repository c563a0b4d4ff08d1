"""The rest of the default set: no admissions, the order of suspension, nodes that may be switched off.

A cap alone does not bring a site under its firm limit. While the set holds, ``<run_dir>/default-set.json`` says so in
full and, where no starts are admitted, ``<run_dir>/no-admissions`` exists: a prolog or health check tests that in a
microsecond. What a scheduler must be told is told by the operator's own commands (``[measures] enter``, ``leave``),
with the set in their environment; they are run in a thread of their own, so that no scheduler delays a cap.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from agent.orders import DefaultSet

_log = logging.getLogger("chergui.agent")
ADMISSIONS = "no-admissions"
SET = "default-set.json"


class Measures:
    """Puts the default set's measures into force and lifts them."""

    def __init__(
        self,
        run_dir: Path,
        enter: Sequence[str] = (),
        leave: Sequence[str] = (),
        timeout_s: float = 30.0,
        *,
        acts: bool = True,
    ) -> None:
        self._run_dir = run_dir
        self._commands = {"enter": tuple(enter), "leave": tuple(leave)}
        self._timeout_s = timeout_s
        self._acts = acts
        self._holds: tuple[bool, DefaultSet] | None = None
        self._running: threading.Thread | None = None
        self._wanted: tuple[str, DefaultSet, str] | None = None
        self._lock = threading.Lock()

    def hold(self, holds: bool, default: DefaultSet, reason: str, *, wait: bool = False) -> None:
        """Let the measures hold, or not; the same again costs nothing. ``wait``: until the command has ended.

        Raises:
            OSError: the run folder cannot be written.
        """
        if self._holds == (holds, default) or not self._acts:
            return
        changes = self._holds is None or self._holds[0] != holds
        if holds:
            self._write(default, reason)
        else:
            for name in (ADMISSIONS, SET):
                (self._run_dir / name).unlink(missing_ok=True)
        self._holds = (holds, default)
        if changes or holds:
            self._start("enter" if holds else "leave", default, reason, wait)

    def _write(self, default: DefaultSet, reason: str) -> None:
        self._run_dir.mkdir(parents=True, exist_ok=True)
        content = {
            "reason": reason,
            "limit_w": default.limit_w,
            "admit_starts": default.admit_starts,
            "suspend_order": list(default.suspend_order),
            "nodes_may_switch_off": default.nodes_may_switch_off,
        }
        beside = self._run_dir / f".{SET}.new"
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(self._run_dir / SET)
        if default.admit_starts:
            (self._run_dir / ADMISSIONS).unlink(missing_ok=True)
        else:
            (self._run_dir / ADMISSIONS).touch()

    def _start(self, which: str, default: DefaultSet, reason: str, wait: bool) -> None:
        if not self._commands[which]:
            return
        with self._lock:  # of several changes while a command runs, only the last is told afterwards
            self._wanted = (which, default, reason)
            if self._running is None:
                self._running = threading.Thread(target=self._work, name="measures", daemon=True)
                self._running.start()
            running = self._running
        if wait:
            running.join(2 * self._timeout_s)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._wanted is None:
                    self._running = None
                    return
                which, default, reason = self._wanted
                self._wanted = None
            self._run(which, default, reason)

    def _run(self, which: str, default: DefaultSet, reason: str) -> None:
        told = {
            "CHERGUI_REASON": reason,
            "CHERGUI_LIMIT_W": f"{default.limit_w:g}",
            "CHERGUI_ADMIT_STARTS": str(int(default.admit_starts)),
            "CHERGUI_SUSPEND_ORDER": " ".join(default.suspend_order),
            "CHERGUI_MAY_SWITCH_OFF": str(int(default.nodes_may_switch_off)),
        }
        command = self._commands[which]
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, no shell
                command,
                env={**os.environ, **told},
                timeout=self._timeout_s,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            _log.error("the command %s of [measures] failed: %s", which, error)
            return
        if done.returncode != 0:
            _log.error("the command %s of [measures] ended with %d: %s", which, done.returncode, done.stderr[-300:])
