"""``chergui agent``: hold this node's GPUs to what the service says, or do one thing and end."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

from agent import oneshot
from agent.claim import Claimed
from agent.devices import NoDevices
from agent.memory import Memory
from agent.notify import notify
from agent.parts import Parts
from agent.service import Agent
from agent.settings import CONFIG, Settings, read_settings
from agent.sweep import Order
from models.errors import InvalidInput

ACTIONS = ("run", "check", "apply-default", "status", "disable", "enable", "forget", "override", "sweep")


def main(
    action: str = "run",
    config: Path = CONFIG,
    *,
    limit_w: float | None = None,
    for_s: float = 3600.0,
    sweep: Order | None = None,
) -> int:
    """Do ``action``; returns the exit status: 0 done, 1 failed, 2 bad configuration, 3 another process holds a GPU."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        settings = read_settings(config)
    except InvalidInput as error:
        print(f"chergui agent: {error}", file=sys.stderr)
        usual = Settings("", "", actuator="nvml-power")
        if action != "apply-default" or not Memory(usual.state_dir, "").originals():
            return 2
        # A file spoilt by a late edit must not leave the caps of an agent that had been setting them as they were.
        return oneshot.apply_default(usual)
    if action == "check":
        print(f"{config} is well: {settings.node} asks {settings.server}{settings.path}, actuator {settings.actuator}")
        return 0
    if action == "override":
        return oneshot.override(settings, limit_w or 0.0, for_s if limit_w else 0.0)
    if action == "sweep":
        return oneshot.sweep(settings, sweep)
    try:
        if action != "run":
            return {
                "apply-default": oneshot.apply_default,
                "status": oneshot.status,
                "disable": oneshot.disable,
                "enable": oneshot.enable,
                "forget": oneshot.forget,
            }[action](settings)
        return _run(Parts(settings))
    except NoDevices as error:
        print(f"chergui agent: {error}", file=sys.stderr)
        return 1


def _run(parts: Parts) -> int:
    notify("STATUS=starting")
    agent = Agent(parts.settings, parts)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    try:
        parts.find()
    except Claimed as error:
        print(f"chergui agent: {error}", file=sys.stderr)
        return 3
    except NoDevices as error:  # a driver that is still being loaded: the agent looks again at each tick
        logging.getLogger("chergui.agent").error("%s", error)
    try:
        return agent.run()
    finally:
        parts.close()
