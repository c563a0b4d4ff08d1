"""Commands that do one thing and end: the stop action, the boot gate, the way out, a look at the state."""

from __future__ import annotations

import json
import math
import signal
import sys

from agent.claim import Claimed
from agent.clock import boot_s
from agent.devices import DeviceLost, NoDevices
from agent.machine import SiteFactor
from agent.override import set_override
from agent.parts import Parts
from agent.service import default_set
from agent.settings import Settings
from agent.sweep import Order, Sweep, SweepStopped, give_back

HELD, FAILED = 3, 1
"""Exit statuses: a living agent holds the GPUs; it could not be done."""


def apply_default(settings: Settings) -> int:
    """Hold every GPU to the default set now: after a crash, at boot, from a timer.

    Needs no service and no configuration beyond where things are: default and hard limits come from the last orders
    kept. Nothing rises; the agent raises, slowly, once it runs. A living agent is left alone (exit 3).
    """
    parts = Parts(settings)
    try:
        if parts.memory.disabled:
            _say("disabled on this machine: nothing set")
            return 0
        now_s = boot_s()
        parts.find()
        machine = parts.machine(now_s)
        parts.enforcer.tick(machine, now_s, {}, SiteFactor(), math.inf, rise=False)
        parts.measures.hold(True, default_set(machine), "STOPPED", wait=True)
        bad = [str(held.lost or held.gpu.uuid) for held in parts.enforcer.held.values() if held.lost or held.exceeds]
    except Claimed as error:
        _say(str(error))
        return HELD
    except (NoDevices, OSError) as error:
        _say(str(error))
        return FAILED
    finally:
        parts.close()
    for line in bad:
        _say(f"not held to the default: {line}")
    limits = ", ".join(f"{held.requested_w:g}" for held in parts.enforcer.held.values())
    _say(f"default set applied: {limits} W")
    return FAILED if bad else 0


def disable(settings: Settings) -> int:
    """Take the agent out on this machine: original limits back, nothing set until it is enabled."""
    parts = Parts(settings)
    try:
        parts.memory.set_disabled(True)
        parts.find()
        failed = parts.enforcer.restore()
    except Claimed:
        _say("disabled; the running agent restores the original limits at its next tick")
        return 0
    except (NoDevices, OSError) as error:
        _say(f"disabled, but nothing could be restored: {error}")
        return FAILED
    finally:
        parts.close()
    for line in failed:
        _say(f"not restored: {line}")
    _say("disabled; original limits restored")
    return FAILED if failed else 0


def enable(settings: Settings) -> int:
    """Let the agent back in; it begins at the default set."""
    Parts(settings).memory.set_disabled(False)
    _say("enabled")
    return 0


def forget(settings: Settings) -> int:
    """Forget the last orders and the highest version: after the service was set up anew."""
    Parts(settings).memory.forget()
    _say("forgotten; restart the agent")
    return 0


def override(settings: Settings, limit_w: float, for_s: float) -> int:
    """Hold this machine's GPUs lower for a while."""
    set_override(settings.run_dir, limit_w, for_s)
    _say(f"at most {limit_w:g} W for {for_s:g} s" if for_s > 0 else "override ended")
    return 0


def sweep(settings: Settings, order: Order | None) -> int:
    """Measure the running job under a few limits (``order`` None: give back what a killed sweep had found)."""
    if settings.actuator != "nvml-power":
        _say(f'a sweep sets power limits: the actuator is {settings.actuator!r}, it needs "nvml-power"')
        return FAILED
    parts = Parts(settings)
    asked_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: asked_to_stop.append(got))
    try:
        parts.find()
        if order is None:
            for line in give_back(parts.actuator, settings.state_dir):
                _say(line)
            return 0
        report = Sweep(parts.actuator, settings.state_dir, order, stopped=lambda: bool(asked_to_stop)).run()
    except Claimed as error:
        _say(f"{error}; stop the agent for the time of the sweep")
        return HELD
    except (SweepStopped, DeviceLost, NoDevices, OSError) as error:
        _say(str(error))
        return FAILED
    finally:
        parts.close()
    for line in report["not_restored"]:
        _say(f"not restored: {line}")
    _say(f"{len(report['samples'])} windows in {order.out}; limits as they were found")
    return FAILED if report["not_restored"] else 0


def status(settings: Settings) -> int:
    """Print the running agent's state; exit 1 where none has run for ten ticks."""
    try:
        told = json.loads((settings.run_dir / "status.json").read_text(encoding="utf-8"))
        age = boot_s() - told["boot_s"]
    except (OSError, ValueError, KeyError) as error:
        _say(f"no state in {settings.run_dir}: {error}")
        return FAILED
    print(json.dumps(told, indent=1))
    if told.get("stopped") or not 0 <= age <= max(10.0, 10 * settings.tick_s):
        _say(f"no agent runs: this state is {age:.0f} s old")
        return FAILED
    return 0


def _say(what: str) -> None:
    print(f"chergui agent: {what}", file=sys.stderr)
