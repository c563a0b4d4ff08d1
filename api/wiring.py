"""The one place that names concrete classes: stores, sources, clocks, put together for each process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from api.clock import ShiftedClock
from api.doors import Doors
from api.explaining import Explainer
from api.knowledge import Knowledge
from api.known import Known
from api.metrics import Metrics
from api.plan_store import PlanStore
from api.releases import Releases
from api.settings import Settings
from api.sign_of_life import SignOfLife
from api.solving import Solver
from api.store.agents import AgentStore
from api.store.engine import open_engine
from api.store.events import EventStore
from api.store.explanations import ExplanationStore
from api.store.jobs import JobStore
from api.store.keys import KeyStore
from api.store.placements import PlacementStore
from api.telemetry_store import store_for
from api.watch import Watch
from ingest.intake import Intake
from ingest.ports import Clock
from ingest.quality import Gate
from ingest.quality_limits import limits_of
from ingest.site_file import read_site
from models.lease import Mode
from models.site import Site

if TYPE_CHECKING:
    from api.desk import Desk
    from api.job_round import Turn
    from ingest.collector import Collector


def clock_of(settings: Settings) -> ShiftedClock:
    """The service's clock."""
    origin = datetime.fromtimestamp(settings.origin_s, UTC) if settings.is_apart else None
    return ShiftedClock(timedelta(seconds=settings.shift_s), speed=settings.speed, origin=origin)


def engine_of(settings: Settings) -> Engine:
    """The state database."""
    return open_engine(settings.state_path)


def sign_of(settings: Settings, process: str) -> SignOfLife:
    """Sign of life of ``planner``, ``collector`` or ``jobs``."""
    return SignOfLife(Path(settings.run_dir) / f"{process}.alive")


def doors_for(settings: Settings, engine: Engine | None = None, process: str = "web") -> Doors:
    """What the web process works with; another one says its name, because a spool belongs to one process."""
    engine = engine or engine_of(settings)
    clock = clock_of(settings)
    site = read_site(settings.site_path)
    plans = PlanStore(engine, site.name, clock)
    telemetry = store_for(settings, site, clock, process)
    solver = Solver()
    return Doors(
        settings=settings,
        site=site,
        clock=clock,
        plans=plans,
        jobs=JobStore(engine, clock),
        keys=KeyStore(engine, clock),
        agents=AgentStore(engine, site.name, clock, site.planning.step),
        events=EventStore(engine, clock),
        telemetry=telemetry,
        releases=Releases(engine, telemetry, clock),
        placements=PlacementStore(engine, site.name, clock),
        intake=Intake(telemetry, clock, Gate(limits_of(site))),
        planner=sign_of(settings, "planner"),
        collector=sign_of(settings, "collector"),
        solver=solver,
        explainer=Explainer(solver, ExplanationStore(engine, clock)),
        watch=Watch(plans.version),
        known=Known(telemetry, site, clock),
        metrics=Metrics(version("chergui")),
    )


def desk_for(settings: Settings) -> tuple[Desk, PlanStore, Site, Clock]:
    """What the planner process works with."""
    from api.desk import Desk  # heavy

    engine = engine_of(settings)
    clock = clock_of(settings)
    site = read_site(settings.site_path)
    plans = PlanStore(engine, site.name, clock)
    telemetry = store_for(settings, site, clock, "planner")
    jobs, events = JobStore(engine, clock), EventStore(engine, clock)
    knowledge = Knowledge(settings.data_dir, site.name, telemetry)
    desk = Desk(settings, site, plans, jobs, events, clock, telemetry, knowledge)
    return desk, plans, site, clock


def explanations_of(settings: Settings) -> tuple[PlanStore, ExplanationStore]:
    """Plans, and what was told of them."""
    engine, clock = engine_of(settings), clock_of(settings)
    return PlanStore(engine, read_site(settings.site_path).name, clock), ExplanationStore(engine, clock)


def collector_for(settings: Settings) -> Collector:
    """What the collector process works with: every source that the site file names, the simulated site, or a record."""
    from api.simulation import replayed_sources, simulated_sources
    from api.sources import sources_of
    from ingest.collector import Collector

    clock = clock_of(settings)
    site = read_site(settings.site_path)
    if settings.replay:
        sources = replayed_sources(settings)
    elif settings.scenario:
        sources = simulated_sources(settings, site, PlanStore(engine_of(settings), site.name, clock), clock)
    else:
        sources = sources_of(site, settings.site_path.parent)
    store = store_for(settings, site, clock, "collector")
    return Collector(sources, store, clock, gate=Gate(limits_of(site)))


def turns_for(settings: Settings) -> list[Turn]:
    """What the jobs process does: every queue that the site file names.

    Slurm lives in the machine's own time, so it is left in peace while the service's clock is moved or simulated.
    """
    from api import logs
    from api.job_round import SlurmRound, list_turn
    from api.job_sources import expectations_of, lists_of, policy_of, slurm_commands, slurm_source
    from api.slurm.hand import Hand

    doors = doors_for(settings, process="jobs")
    site, folder = doors.site, settings.site_path.parent
    policy = policy_of(site, folder)
    run_times = expectations_of(site, folder, doors.telemetry)
    turns = [
        list_turn(one.period_s, source, policy, site, doors.jobs, doors.clock, run_times)
        for one, source in lists_of(site, folder)
    ]
    slurm = site.jobs.slurm
    if slurm is not None and (settings.shift_s or settings.scenario):
        logs.get("jobs").warning("slurm_not_read", reason="the service's clock is not the machine's; Slurm's is")
    elif slurm is not None:
        round_ = SlurmRound(
            spec=slurm,
            source=slurm_source(slurm, folder),
            hand=Hand(slurm_commands(slurm, folder)),
            policy=policy,
            site=site,
            store=doors.jobs,
            plan=doors.plans.current,
            following=lambda: {pool.name for pool in site.pools if doors.standing(pool.name).reason is None},
            placements=doors.placements,
            holding=lambda: bool(slurm.pools) and all(_admits_nothing(doors, one.pool) for one in slurm.pools),
            run_times=run_times,
        )
        turns.append(round_.turn(doors.clock))
    return turns


def _admits_nothing(doors: Doors, pool: str) -> bool:
    """Whether an operator has ordered failsafe for a pool whose default set admits no starts."""
    ordered = doors.plans.now().target(pool).mode is Mode.FAILSAFE
    return ordered and not doors.site.pool(pool).default.admit_starts
