"""The one place that names concrete classes: stores, sources, clocks, put together for each process."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from api.clock import ShiftedClock
from api.doors import Doors
from api.metrics import Metrics
from api.plan_store import PlanStore
from api.settings import Settings
from api.sign_of_life import SignOfLife
from api.solving import Solver
from api.store.agents import AgentStore
from api.store.engine import open_engine
from api.store.jobs import JobStore
from api.store.keys import KeyStore
from api.watch import Watch
from ingest.intake import Intake
from ingest.ports import Clock
from ingest.site_file import read_site
from ingest.stores.embedded import EmbeddedStore
from models.site import Site

if TYPE_CHECKING:
    from api.desk import Desk
    from ingest.collector import Collector


def clock_of(settings: Settings) -> ShiftedClock:
    """The service's clock."""
    return ShiftedClock(timedelta(seconds=settings.shift_s))


def engine_of(settings: Settings) -> Engine:
    """The state database."""
    return open_engine(settings.state_path)


def sign_of(settings: Settings, process: str) -> SignOfLife:
    """Sign of life of ``planner`` or ``collector``."""
    return SignOfLife(Path(settings.run_dir) / f"{process}.alive")


def doors_for(settings: Settings, engine: Engine | None = None) -> Doors:
    """What the web process works with."""
    engine = engine or engine_of(settings)
    clock = clock_of(settings)
    site = read_site(settings.site_path)
    plans = PlanStore(engine, site.name, clock)
    return Doors(
        settings=settings,
        site=site,
        clock=clock,
        plans=plans,
        jobs=JobStore(engine, clock),
        keys=KeyStore(engine, clock),
        agents=AgentStore(engine, site.name, clock, site.planning.step),
        intake=Intake(EmbeddedStore(settings.telemetry_path, clock=clock), clock),
        planner=sign_of(settings, "planner"),
        collector=sign_of(settings, "collector"),
        solver=Solver(),
        watch=Watch(plans.version),
        metrics=Metrics(version("chergui")),
    )


def desk_for(settings: Settings) -> tuple[Desk, PlanStore, Site, Clock]:
    """What the planner process works with."""
    from api.desk import Desk  # heavy

    engine = engine_of(settings)
    clock = clock_of(settings)
    site = read_site(settings.site_path)
    plans = PlanStore(engine, site.name, clock)
    return Desk(settings, site, plans, JobStore(engine, clock), clock), plans, site, clock


def collector_for(settings: Settings) -> Collector:
    """What the collector process works with: every source that the site file names."""
    from api.sources import sources_of
    from ingest.collector import Collector

    clock = clock_of(settings)
    site = read_site(settings.site_path)
    sources = sources_of(site, settings.site_path.parent)
    return Collector(sources, EmbeddedStore(settings.telemetry_path, clock=clock), clock)
