"""One agent on the kit's stage: started and stopped here, told by the kit's service, watched from outside."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.kit.service import DEFAULT_W, GRANT_W, NODE, SOFT_W, FakeService, Script, Times, body
from models.errors import CherguiError

_LOOK_S = 0.05
_SAME_W = 1.0
"""Devices round a limit down; a watt is no difference."""


class Failed(CherguiError):
    """The agent did what it must not, or left undone what it must."""

    code = "Failed"


class NotRun(CherguiError):
    """The case cannot be tried here; the message says what is missing."""

    code = "NotRun"


@dataclass(frozen=True, slots=True)
class Subject:
    """The agent under test. In its commands ``{url}``, ``{node}``, ``{key_file}``, ``{folder}`` are filled in.

    ``read`` prints one limit in W a line, in the order of the GPUs; without it the agent's reports count. ``lose``
    makes GPU 1 unreachable and ``find`` brings it back. ``scale`` stretches all times for an agent slower than ours.
    """

    command: str | None = None
    read: str | None = None
    lose: str | None = None
    find: str | None = None
    prepare: str | None = None
    scale: float = 1.0
    env: Mapping[str, str] = field(default_factory=dict)


OURS = """server = "{url}"
node = "{node}"
key_file = "{key_file}"
actuator = "{actuator}"
dry_run_gpus = 4
state_dir = "{folder}/state"
run_dir = "{folder}/run"
lock_dir = "{folder}/lock"
[limits]
default_w = 450.0
[timers]
tick_s = 0.1
timeout_s = 1.0
dwell_s = 0.0
jitter_s = 0.0
ramp_w_per_s = 5000.0
"""
"""Our own agent's configuration for the kit: quick where an agent in service is slow."""


class Stage:
    """Service, folders and agent of one case, or of several in turn."""

    def __init__(self, subject: Subject, *, actuator: str = "dry-run") -> None:
        self.subject = subject
        scale = subject.scale
        self.long = Times(round(900 * scale), 0.25 * scale, 300 * scale)
        """A lease that does not run out while a case lasts."""
        self.short = Times(round(3 * scale), 0.25 * scale, 1.5 * scale)
        self.folder = Path(tempfile.mkdtemp(prefix="chergui-agent-test-"))
        self.service = FakeService(self.script())
        self.process: subprocess.Popen[bytes] | None = None
        self._actuator = actuator
        (self.folder / "key").write_text("chergui_test_kit_key\n", encoding="ascii")
        self._write_ours()
        if subject.prepare:
            self._do(subject.prepare)

    # What the service says.

    def script(self, version: tuple[int, int] = (1, 1), times: Times | None = None, **changes: Any) -> Script:
        """The usual answer, with changes of its body."""
        times = times or self.long
        return Script(body(version, times, **changes), times.ttl_s)

    def say(self, script: Script) -> None:
        """From now on the service answers so."""
        self.service.script = script

    # The agent.

    def start(self, **env: str) -> None:
        """Start the agent; it is stopped with the stage."""
        command = (
            self.subject.command or f"{shlex.quote(sys.executable)} -P -m agent run --config {{folder}}/agent.toml"
        )
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the tester's own command, no shell
                shlex.split(self._filled(command)),
                env={**self._environment(), **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the agent and wait for it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(15 * self.subject.scale)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise Failed(f"it still runs {15 * self.subject.scale:.0f} s after {number.name}") from None
        finally:
            self.process = None

    def close(self) -> None:
        """Leave nothing behind."""
        self.end()
        self.service.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def lose(self, gone: bool = True) -> None:
        """Make GPU 1 unreachable, or bring it back."""
        command = self.subject.lose if gone else self.subject.find
        if command is None:
            raise NotRun("needs --lose and --find, commands that take GPU 1 away and bring it back")
        self._do(command)

    # What is seen.

    @property
    def reads(self) -> bool:
        """Whether limits are read by a command, so that they are seen without the agent's help."""
        return self.subject.read is not None

    def limits(self) -> list[float]:
        """Limits of the GPUs now, W; empty while nothing is known."""
        if self.subject.read is not None:
            return [float(word) for word in self._do(self.subject.read).split()]
        for _, report in reversed(self.service.reports):
            rows = sorted(report.get("gpus", []), key=lambda row: row.get("index", 0))
            told = [
                row.get("applied_w") if row.get("applied_w") is not None else row.get("requested_w") for row in rows
            ]
            return [float("nan") if value is None else float(value) for value in told]
        return []

    def eventually(self, what: Callable[[], bool], why: str, within_s: float = 10.0) -> float:
        """Wait for something; returns the seconds it took.

        Raises:
            Failed: it did not come.
        """
        began = time.monotonic()
        while not what():
            self._alive()
            if time.monotonic() - began > within_s * self.subject.scale:
                raise Failed(f"within {within_s * self.subject.scale:.0f} s not seen: {why}; limits {self.limits()} W")
            time.sleep(_LOOK_S)
        return time.monotonic() - began

    def never(self, what: Callable[[], bool], why: str, for_s: float) -> None:
        """Watch that something does not happen.

        Raises:
            Failed: it did.
        """
        until = time.monotonic() + for_s * self.subject.scale
        while time.monotonic() < until:
            self._alive()
            if what():
                raise Failed(f"{why}; limits {self.limits()} W")
            time.sleep(_LOOK_S)

    def has(self, first_w: float, second_w: float, rest_w: float = DEFAULT_W) -> bool:
        """Whether GPU 0, GPU 1 and all others have these limits."""
        found = self.limits()
        wanted = [first_w, second_w, *[rest_w] * (len(found) - 2)]
        return len(found) >= 2 and all(abs(a - b) <= _SAME_W for a, b in zip(found, wanted, strict=True))

    def none_above(self, limit_w: float) -> bool:
        """Whether no GPU has more; False while nothing is known."""
        found = self.limits()
        return bool(found) and all(value <= limit_w + _SAME_W for value in found)

    def controlled(self) -> None:
        """Start the agent where none runs, and wait until the usual plan is applied."""
        if self.process is None:
            self.start()
        self.eventually(lambda: self.has(GRANT_W, SOFT_W), "the plan's caps, 600 and 250 W, 450 W on the others", 20)

    def asked_again(self, times: int = 2) -> None:
        """Wait until the agent has asked so often and done with the last answer."""
        before = len(self.service.asked)
        self.eventually(lambda: len(self.service.asked) > before + times, f"{times + 1} questions", 20)

    def _alive(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            tail = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-400:]
            code, self.process = self.process.returncode, None
            raise Failed(f"the agent ended with {code}: {tail}")

    def _filled(self, command: str) -> str:
        for name, value in self._told().items():
            command = command.replace(f"{{{name}}}", value)
        return command

    def _told(self) -> dict[str, str]:
        return {
            "url": self.service.url,
            "node": NODE,
            "key_file": str(self.folder / "key"),
            "folder": str(self.folder),
        }

    def _environment(self) -> dict[str, str]:
        told = {f"CHERGUI_{name.upper()}": value for name, value in self._told().items()}
        return {**os.environ, **told, **{name: self._filled(value) for name, value in self.subject.env.items()}}

    def _write_ours(self) -> None:
        text = OURS.replace("{actuator}", self._actuator)
        (self.folder / "agent.toml").write_text(self._filled(text), encoding="utf-8")

    def _do(self, command: str) -> str:
        done = subprocess.run(  # noqa: S603 - the tester's own command, no shell
            shlex.split(self._filled(command)),
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise NotRun(f"the command {command!r} ended with {done.returncode}: {done.stderr[-200:]}")
        return done.stdout
