"""The running agent: the tick in the main thread, the questions in one beside it, the guard's voice in a third.

The tick holds the lease, the caps and the watchdog, and waits for nobody: a service that answers a byte a minute
delays no fallback. A thread that dies of a fault of our own ends the process, and systemd's stop action applies the
default set.
"""

from __future__ import annotations

import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from agent.claim import Claimed
from agent.clock import ServerClock, boot_s
from agent.devices import NoDevices
from agent.ear import Ear
from agent.enforce import Held
from agent.machine import DISABLED, LOCAL_OVERRIDE, Heard, Machine, SiteFactor
from agent.notify import notify
from agent.orders import DefaultSet, Orders, read_orders
from agent.override import override_w
from agent.parts import Parts
from agent.placement import Placement
from agent.pull import Answer, NoAnswer, Service
from agent.settings import Settings
from models.errors import InvalidInput
from models.horizon import rfc3339
from models.lease import AgentState

_log = logging.getLogger("chergui.agent")
_REPORT_GAP_S = 0.2
_REPORT_AGAIN_S = 600.0
"""How long a service that takes no reports is left in peace."""
_REPORT_BUSY_S = 5.0


class Agent:
    """One node's agent."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._machine = parts.machine(boot_s())
        self._lock = threading.Lock()
        self._service = Service(
            settings.server,
            key_file=settings.key_file,
            ca_file=settings.ca_file,
            timeout_s=settings.timeout_s,
            max_body_bytes=settings.max_body_bytes,
        )
        self._ear = Ear(settings.guard_ttl_s, url=settings.guard_url, file=settings.guard_file)
        self._placement = Placement(settings.run_dir / "placement")
        self._measures = parts.measures
        self._stop = threading.Event()
        self._news = threading.Event()
        """Orders were taken: the next tick comes at once."""
        self._tell = threading.Event()
        """There is something to report."""
        self._told: tuple[object, ...] = ()
        self._fault: BaseException | None = None
        self._failures = 0
        self._waits = False
        self._last = "not asked yet"
        self._alarms = 0
        self._report_after_s = -math.inf
        self._factor = SiteFactor()
        self._override_w = math.inf
        self._disabled = False
        self._devices = "not looked for yet"

    def stop(self) -> None:
        """Ask it to end; from a signal handler, which may have come while this very thread holds an event's lock."""
        threading.Thread(target=self._end, name="stop").start()

    def _end(self) -> None:
        self._stop.set()
        self._news.set()
        self._tell.set()

    def run(self) -> int:
        """Apply the default set, then hold the caps until told to stop. Returns the exit status."""
        self.tick(boot_s())
        works = {"questions": self._questions, "guard": lambda: self._ear.listen(self._stop)}
        if self._settings.report:
            works["reports"] = self._reports
        for name, work in works.items():
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True).start()
        ready = False
        following = time.monotonic()
        while not self._stop.is_set():
            self.tick(boot_s())
            if not ready and self._devices == "":
                ready = True
                notify("READY=1", f"STATUS={self.shown()}")
            notify("WATCHDOG=1", f"STATUS={self.shown()}")
            following = max(following + self._settings.tick_s, time.monotonic())
            self._news.wait(max(0.0, following - time.monotonic()))
            self._news.clear()
        notify("STOPPING=1")
        self._leave()
        if self._fault is not None:
            _log.critical("a thread ended by a fault of our own", exc_info=self._fault)
            return 1
        return 0

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as fault:
            self._fault = fault
            self._end()

    # The tick: every second, in the main thread.

    def tick(self, now_s: float) -> None:
        """Let the lease age, hold caps and measures, say how it stands."""
        settings = self._settings
        disabled = self._parts.memory.disabled
        self._override_w = override_w(settings.run_dir, now_s)
        self._factor = self._ear.factor(now_s) if settings.has_guard else SiteFactor()
        with self._lock:
            before = self._machine.state
            if self._disabled and not disabled:
                self._machine.reset(now_s)
            state = self._machine.tick(now_s)
            if state is not before:
                _log.warning("%s, was %s", state.value, before.value)
            self._hold(now_s, disabled)
            if not disabled:
                self._hold_measures()
            status = self.status(now_s)
        self._disabled = disabled
        self._write_status(status)
        self._notice()

    def _hold(self, now_s: float, disabled: bool) -> None:
        """Caps on the devices; a driver that is away is looked for again at each tick."""
        enforcer = self._parts.enforcer
        try:
            if not enforcer.held or self._devices:
                self._parts.find()
            if disabled:
                if not self._disabled:
                    for line in enforcer.restore():
                        _log.error("not restored: %s", line)
            else:
                jobs = self._placement.jobs([held.gpu for held in enforcer.held.values()])
                enforcer.tick(self._machine, now_s, jobs, self._factor, self._override_w)
        except (NoDevices, Claimed) as error:
            if str(error) != self._devices:
                _log.error("%s", error)
            self._devices = str(error)
        else:
            self._devices = ""

    def _hold_measures(self) -> None:
        machine = self._machine
        holds = machine.wants_default_set or self._factor.default
        reason = "SITE_GUARD" if self._factor.default and not machine.wants_default_set else machine.state.value
        try:
            self._measures.hold(holds, default_set(machine), reason)
        except OSError as error:
            _log.error("the default set's measures could not be written down: %s", error)

    def _leave(self) -> None:
        """On the way out: the default set, and nothing rises."""
        if self._parts.memory.disabled:
            return
        with self._lock:
            now_s = boot_s()
            self._machine.reset(now_s)
            jobs = {uuid: held.jobs for uuid, held in self._parts.enforcer.held.items()}
            try:
                self._parts.enforcer.tick(self._machine, now_s, jobs, self._factor, self._override_w, rise=False)
                self._measures.hold(True, default_set(self._machine), "STOPPED", wait=True)
            except (NoDevices, OSError) as error:
                _log.error("the default set could not be applied in full: %s", error)
            status = self.status(now_s)
        self._write_status({**status, "stopped": True})

    # The questions: in a thread of their own.

    def _questions(self) -> None:
        while not self._stop.is_set():
            began = boot_s()
            wait_s = self.ask_once()
            if wait_s > 0:
                self._stop.wait(max(0.0, wait_s - (boot_s() - began)))

    def ask_once(self) -> float:
        """Ask, take the answer in, report; returns the seconds until the next question, from the beginning of this."""
        retry_s: float | None = None
        before = self._machine.lease.version
        # Waiting longer than a poll would cost contact; in failsafe an answer is wanted now, for the way out.
        wait_s = min(self._settings.wait_s, self._machine.timers.poll_s) if self._machine.token is None else 0.0
        try:
            held = self._ask(wait_s)
        except (NoAnswer, InvalidInput) as error:
            retry_s = error.retry_s if isinstance(error, NoAnswer) else None
            self._alarm(str(error))
            held = False
        self._failures = 0 if held else self._failures + 1
        if self._machine.lease.version != before:
            self._news.set()
        self._tell.set()
        # One question that fails, or comes late, must not make a short lease stale.
        poll_s = min(self._machine.timers.poll_s, self._machine.timers.stale_after_s / 2.5)
        if not held:
            return max(retry_s or 0.0, min(2 * poll_s, 2.0 ** min(self._failures, 10))) * _jitter()
        # A service that holds unchanged answers back is asked again at once, yet not in a hot loop where it does not.
        if self._settings.wait_s > 0 and self._machine.lease.version != before:
            return 0.1 * _jitter()
        return (min(1.0, poll_s) if self._waits else poll_s) * _jitter()

    def _ask(self, wait_s: float) -> bool:
        with self._lock:
            version, token = self._machine.etag_version, self._machine.token
        settings = self._settings
        sent_s = boot_s()
        answer = self._service.ask(settings.path, held=version, token=token, wait_s=wait_s)
        self._waits = answer.waits
        got_s = boot_s()
        when = (answer.ttl_s, answer.server_s, sent_s, got_s, answer.token)
        if answer.status == 304:
            with self._lock:
                return self._judged(self._machine.renew(answer.version, *when))
        orders = self._read(answer)
        with self._lock:
            heard = self._machine.judge(orders)
        if heard is Heard.TAKEN:
            try:  # before it is acted on, and with no lock held: a slow disk delays no tick
                self._parts.memory.keep(orders, ServerClock.heard(answer.server_s, sent_s, got_s))
            except OSError as error:
                self._alarm(f"orders {orders.version} could not be kept on disk: {error}")
            with self._lock:
                heard = self._machine.take(orders, *when, numbered=answer.etag is not None)
        return self._judged(heard)

    def _read(self, answer: Answer) -> Orders:
        settings = self._settings
        asked = {"pool": settings.pool} if settings.pull == "pool" else {"node": settings.node}
        gpus = max((held.gpu.index for held in self._parts.enforcer.held.values()), default=63) + 1
        orders = read_orders(answer.body, gpus=gpus, **asked)
        if orders.version != answer.version:
            raise NoAnswer(f"the body is of version {orders.version}, its header says {answer.version}")
        return orders

    def _judged(self, heard: Heard) -> bool:
        if heard in (Heard.TAKEN, Heard.WAITS):
            self._last = heard.value
            return True
        self._alarm(f"answer refused: {heard.value}")
        return False

    def _alarm(self, what: str) -> None:
        self._alarms += 1
        if what != self._last:
            _log.warning("%s", what)
        self._last = what

    # The reports: in a thread of their own, after each answer and when something has changed.

    def _reports(self) -> None:
        while not self._stop.is_set():
            self._tell.wait()
            self._tell.clear()
            if boot_s() >= self._report_after_s and not self._stop.is_set():
                self._report()
                self._stop.wait(_REPORT_GAP_S)

    def _notice(self) -> None:
        """Report soon where state, version, jobs or reachable GPUs are others than a tick ago; a ramp can wait."""
        held = self._parts.enforcer.held.values()
        now = (self.shown(), self._machine.lease.version, *((one.jobs, one.lost is None) for one in held))
        if now != self._told:
            self._told = now
            self._tell.set()

    def _report(self) -> None:
        with self._lock:
            report = self.status(boot_s())
        try:
            self._service.tell(f"/api/v1/agents/{self._settings.node}/report", report)
        except NoAnswer as error:
            if 400 <= error.status < 500 and error.status != 429:
                # A service without this door, or a key without the right; caps do not hang on it.
                self._report_after_s = boot_s() + _REPORT_AGAIN_S
                _log.info("reports are not taken: %s", error.why)
            elif error.status:  # it is busy now, and what stands here is still to be told
                self._report_after_s = boot_s() + (error.retry_s or _REPORT_BUSY_S)

    # How it stands.

    def shown(self) -> str:
        """State for people: the lease's, or the operator's own order on this machine."""
        if self._disabled or self._parts.memory.disabled:
            return DISABLED
        return LOCAL_OVERRIDE if self._override_w < math.inf else self._machine.state.value

    def status(self, now_s: float) -> dict[str, Any]:
        """As it is reported and written to ``status.json``."""
        machine, lease = self._machine, self._machine.lease
        left = lease.until_s - now_s if machine.state in (AgentState.CONTROLLED, AgentState.STALE) else 0.0
        orders = machine.orders
        return {
            "schema_version": "1.0",
            "node": self._settings.node,
            "actuator": self._settings.actuator,
            "state": self.shown(),
            "lease_state": machine.state.value,
            "plan_version": {"epoch": lease.version.epoch, "seq": lease.version.seq},
            "source": orders.source if orders and machine.fresh else "default",
            "reason": orders.reason if orders and machine.fresh else None,
            "lease_remaining_s": round(max(0.0, left), 3),
            "default_set": machine.wants_default_set or self._factor.default,
            "site_factor": self._factor.share,
            "last_answer": self._last,
            "alarms": self._alarms,
            "devices": self._devices or "ok",
            "placement": self._placement.known,
            "client_time": rfc3339(datetime.now(UTC)),
            "boot_s": round(now_s, 3),
            "gpus": [_gpu_status(held) for held in self._parts.enforcer.held.values()],
        }

    def _write_status(self, status: dict[str, Any]) -> None:
        path = self._settings.run_dir / "status.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(".status.json.new")
            beside.write_text(json.dumps(status), encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            _log.error("the status could not be written: %s", error)


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - spreads a fleet's questions


def _gpu_status(held: Held) -> dict[str, Any]:
    reading = held.reading
    return {
        "index": held.gpu.index,
        "uuid": held.gpu.uuid,
        "jobs": list(held.jobs),
        "requested_w": None if math.isnan(held.requested_w) else held.requested_w,
        "applied_w": reading.limit_w if reading else None,
        "enforced_w": reading.enforced_w if reading else None,
        "power_w": reading.power_w if reading else None,
        "temp_c": reading.temp_c if reading else None,
        "lost": held.lost,
        "overwritten": held.overwritten,
    }


def default_set(machine: Machine) -> DefaultSet:
    """The set to apply: the service's last word; before any, no starts and the configured cap."""
    if machine.orders is not None:
        return machine.orders.default
    cap = machine.rules.default_w or 0.0
    return DefaultSet(cap, cap)
