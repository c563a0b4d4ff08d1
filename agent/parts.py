"""Puts an agent together from its settings: the one file that names the concrete actuators."""

from __future__ import annotations

from agent.claim import Claims
from agent.clock import boot_id
from agent.devices import Actuator, DryRun, NoDevices
from agent.enforce import Enforcer
from agent.machine import Machine
from agent.measures import Measures
from agent.memory import Memory
from agent.settings import Settings


def actuator_of(settings: Settings) -> Actuator:
    """The actuator that the settings name; NVML's binding is imported only where it is used."""
    if settings.actuator == "dry-run" and settings.dry_run_gpus:
        return DryRun(None, settings.dry_run_gpus)
    try:
        from agent import nvml
    except ImportError:
        raise NoDevices("the package nvidia-ml-py is missing; install it beside the agent") from None
    if settings.actuator == "nvml-clocks":
        return nvml.NvmlClocks(settings.clocks)
    power = nvml.NvmlPower()
    return power if settings.actuator == "nvml-power" else DryRun(power)


class Parts:
    """What the running agent and its one-shot commands share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.memory = Memory(settings.state_dir, boot_id())
        self.actuator = actuator_of(settings)
        self.claims = Claims(settings.lock_dir)
        self.enforcer = Enforcer(
            self.actuator,
            self.memory,
            settings.node,
            node_budget_w=settings.node_budget_w,
            keep_originals=settings.sets,
        )
        self.measures = Measures(
            settings.run_dir, settings.enter, settings.leave, settings.hook_timeout_s, acts=settings.sets
        )

    def find(self) -> None:
        """Find the GPUs and claim each, unless nothing is set anyway.

        Raises:
            NoDevices: there is no way to them, or there are none.
            Claimed: another process holds one.
        """
        gpus = self.enforcer.find()
        if not gpus:
            raise NoDevices("the driver lists none")
        if self.settings.sets:
            for gpu in gpus:
                self.claims.take(gpu.uuid)

    def machine(self, now_s: float) -> Machine:
        """A machine of states with what an earlier life kept."""
        kept = self.memory.load(now_s)
        return Machine(self.settings.rules, now_s, held=kept.orders, clock=kept.clock, seen=kept.seen)

    def close(self) -> None:
        """Give library and claims back."""
        self.actuator.close()
        self.claims.release()
