"""Child processes die with their parent, whatever kills it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel for ``how`` when the parent dies; ``parent`` is its process id as it told us.

    Exits at once where it is gone already (the kernel tells only of later deaths). Elsewhere than on Linux
    nothing is asked; the supervisor's orderly stop is all there is.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent process is gone")


def kill_group(leader: int, how: signal.Signals) -> None:
    """Send a signal to a child that leads its own group, and to all that it started there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, how)
