"""The cases of the scale table: what is run, for how long, and what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass

ASKED_GAP = 0.001
"""Gap that a measured run asks for: below every goal, so that a run goes on as long as its instants are looked at."""

GROWTH_GAP = 0.02
"""The fixed gap whose time is followed over the number of jobs."""


@dataclass(frozen=True)
class Case:
    """One GPU site (or the half-gigawatt day) and its goals.

    ``gaps`` are (seconds, gap) pairs, read from one run of ``limit_s``. A goal of None is not asked; ``replan`` is
    (seconds, gap) one slot later; ``cold_s`` and ``warm_s`` are those of re-dispatch with starts fixed.
    """

    key: str
    title: str
    limit_s: float
    gaps: tuple[tuple[float, float], ...]
    jobs: int | None = None
    share: float | None = None
    first_s: float | None = None
    memory_gb: float | None = None
    replan: tuple[float, float] | None = None
    cold_s: float | None = None
    warm_s: float | None = None


def _site(jobs: int, limit_s: float, gaps: tuple[tuple[float, float], ...], **goals: object) -> Case:
    return Case(str(jobs), f"{jobs:,} jobs", limit_s, gaps, jobs=jobs, **goals)  # type: ignore[arg-type]


CASES = (
    _site(100, 30, ((30, 0.012),)),
    _site(500, 60, ((20, 0.005), (60, 0.003)), first_s=3.0),
    _site(
        2000,
        60,
        ((25, 0.003), (60, 0.002)),
        first_s=8.0,
        memory_gb=2.0,
        replan=(8.0, 0.005),
        cold_s=1.0,
        warm_s=0.15,
    ),
    _site(10_000, 150, ((60, 0.005), (150, 0.0025)), first_s=30.0, memory_gb=4.0, warm_s=1.0),
    Case("half", "500 MW day", 60, ((60, 0.01),), share=1.0),
)
QUICK = (
    _site(20, 4, ((4, 0.05),), first_s=3.0, memory_gb=2.0, replan=(3.0, 0.05), cold_s=1.0, warm_s=0.15),
    _site(40, 4, ((4, 0.05),)),
    Case("half", "500 MW day, 2 % of it", 5, ((5, 0.05),), share=0.02),
)
WARM_GAP = 2e-4
"""How near the warm re-dispatch must come to one from nothing."""

SIMPLE_SIZES, QUICK_SIMPLE_SIZES = (20, 100, 500), (20,)
SIMPLE_GAP, SIMPLE_TOLERANCE, SIMPLE_LIMIT_S = 0.001, 0.001, 120.0
BUILD_SIZE, QUICK_BUILD_SIZE, BUILD_SHARE = 500, 20, 0.25
"""Pyomo's build and transfer, as a part of build and solve of the simple day."""
