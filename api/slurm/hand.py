"""Carries orders out through Slurm's own commands, and reads what they must fit: licences and our reservations."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from api import logs
from api.slurm.budget import Licences, read_total, read_windows
from api.slurm.order import Order, commands
from ingest.errors import SourceUnavailable
from ingest.sources.slurm.commands import Commands

_PATIENCE_S = 5.0
_log = logs.get("slurm")


@dataclass(frozen=True, slots=True)
class Done:
    """An order and what became of it; ``fault`` None: done."""

    order: Order
    fault: str | None = None


class Hand:
    """The only part that changes anything in Slurm. It never cancels, never holds, never touches a node."""

    def __init__(self, slurm: Commands) -> None:
        self._slurm = slurm

    def licences(self, name: str) -> Licences | None:
        """How many there are of a licence, and what is reserved away; None where the cluster has none of that name.

        Raises:
            SourceUnavailable: Slurm does not answer.
        """
        total = read_total(self._slurm.run("scontrol", "show", "licenses", "-o").decode(), name)
        if total is None:
            return None
        held = read_windows(self._slurm.run("scontrol", "show", "reservation", "-o").decode())
        return Licences(total, tuple(window for window in held if window.licence == name))

    def carry_out(self, orders: Iterable[Order], now: datetime) -> list[Done]:
        """Tell Slurm. A job that is gone, or that Slurm refuses to change, harms no other.

        Raises:
            SourceUnavailable: Slurm has stopped answering; what was told until then is in the log.
        """
        done: list[Done] = []
        for order in orders:
            fault = self._one(order, now)
            done.append(Done(order, fault))
            if fault is None:
                _log.info("told", kind=order.kind, what=order.what, why=order.why)
            else:
                _log.warning("not_told", kind=order.kind, what=order.what, why=order.why, reason=fault)
        return done

    def _one(self, order: Order, now: datetime) -> str | None:
        first, *rest = commands(order, now)
        try:
            self._slurm.run(*first)
        except SourceUnavailable as error:
            if "no answer within" in error.reason:
                raise
            return error.reason
        return self._after(rest)

    def _after(self, rest: list[tuple[str, ...]]) -> str | None:
        """What follows the first step; a job that is just being requeued takes its new start a moment later only."""
        deadline = time.monotonic() + _PATIENCE_S
        for step in rest:
            while True:
                try:
                    self._slurm.run(*step)
                    break
                except SourceUnavailable as error:
                    if "no answer within" in error.reason:
                        raise
                    if time.monotonic() > deadline:
                        return error.reason
                    time.sleep(0.2)
        return None
