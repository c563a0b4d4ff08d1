"""``chergui run``, ``key`` and ``mode``: the service and what its operator sets from the command line."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.settings import Settings, default_data_dir, moment_option
from ingest.site_file import find_site, read_site
from models.errors import CherguiError, InvalidInput
from models.horizon import use_packaged_time_zones
from models.lease import Mode

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from api.store.keys import KeyStore

app = typer.Typer(add_completion=False, no_args_is_help=True)
key_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make, list or revoke API keys.")
app.add_typer(key_app, name="key")


class ScopeName(StrEnum):
    """What a key may do."""

    read = "read"
    write = "write"
    admin = "admin"


class ScenarioName(StrEnum):
    """What may happen at a simulated site (see models.plant.scenarios)."""

    calm = "calm"
    heatwave = "heatwave"
    sandstorm = "sandstorm"
    grid_trip = "grid-trip"
    chiller_loss = "chiller-loss"
    forecast_bust = "forecast-bust"


SITE = Annotated[str, typer.Option(help="Site file, or the name of a sample: dakhla, local.")]
DATA = Annotated[Path | None, typer.Option(help="Folder of the service's data; default: the user's data folder.")]


def _settings(site: str, data_dir: Path | None, **more: object) -> Settings:
    path = find_site(site).resolve()
    folder = (data_dir or default_data_dir()).resolve()
    return Settings(path, folder, **more)  # type: ignore[arg-type]


def _fail(error: CherguiError | ValueError) -> typer.Exit:
    if isinstance(error, InvalidInput):
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{len(error.faults)} error(s) in {error.what}", err=True)
        return typer.Exit(2)
    typer.echo(f"chergui: {error}", err=True)
    return typer.Exit(1)


@app.command()
def run(
    site: SITE = "dakhla",
    data_dir: DATA = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback a key is needed first.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8000,
    now: Annotated[str | None, typer.Option(help="Begin at this instant (RFC 3339) instead of the present.")] = None,
    lease_s: Annotated[float | None, typer.Option(min=1, max=86400, help="Lease of all pools and assets.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="Further name in a Host header.")] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate the site instead of asking its sources; data apart.")
    ] = False,
    replay: Annotated[
        Path | None, typer.Option(help="Data folder whose telemetry comes again, from --now on; data apart.")
    ] = None,
    speed: Annotated[float, typer.Option(min=1, max=240, help="Of the clock of a simulation or a replay.")] = 1.0,
    scenario: Annotated[
        ScenarioName, typer.Option(help="What happens in the simulation, unforeseen by any forecast.")
    ] = ScenarioName.calm,
) -> None:
    """Serve a site: web, planner and collector, until Ctrl-C.

    With --simulate the collector reads a simulated site that follows the plan, in a data folder of its own below the
    usual one, and every pool and asset begins in auto: try what a plan does, or train operators. With --replay it reads
    what an earlier run has recorded, and everything stays in shadow.
    """
    from api import logs
    from api.store.peek import is_ready
    from api.supervisor import Supervisor, listen, lock_data_dir

    use_packaged_time_zones()
    logs.configure("supervisor")
    clock = datetime.now(UTC)
    try:
        settings = _settings(
            site, data_dir, host=host, port=port, lease_s=lease_s, allowed_hosts=tuple(allow_host or ())
        ).shown_at(moment_option(now), clock)
        settings = _apart(settings, simulate, replay, speed, scenario, clock)
        found = read_site(settings.site_path)
        lock_data_dir(settings)
        listener = listen(host, port)
        first = None if is_ready(settings.state_path) else _first_key(settings)
        if settings.scenario:
            _grant_all(settings)
        settings.memo_path.write_text(settings.to_json(), encoding="utf-8")
    except (CherguiError, ValueError) as error:
        raise _fail(error) from None

    def ready(url: str) -> None:
        lines = [url]
        if first is not None:
            lines += [f"first key, shown this once (later: chergui key new --data-dir {settings.data_dir}):", first]
        typer.echo("\n".join(lines))

    queues = found.jobs.any and not settings.is_apart  # a simulated site runs what the plan says
    raise typer.Exit(Supervisor(settings, listener, jobs=queues).run(ready))


def _apart(
    settings: Settings, simulate: bool, replay: Path | None, speed: float, scenario: ScenarioName, clock: datetime
) -> Settings:
    """Settings of a simulation or a replay, where one is asked for; it begins at the machine's instant ``clock``.

    Raises:
        ValueError: both, a speed or a scenario without one, or a record that is none or has no begin.
    """
    if simulate and replay is not None:
        raise ValueError("a simulation and a replay at once; take --simulate or --replay")
    if scenario is not ScenarioName.calm and not simulate:
        raise ValueError("--scenario is for a simulated site; add --simulate, or leave it out")
    if simulate:
        return settings.simulating(scenario.value, speed, clock)
    if replay is None:
        if speed != 1.0:
            raise ValueError("--speed is for a simulation or a replay; add --simulate or --replay, or leave it out")
        return settings
    if not (replay / settings.telemetry_path.name).is_file():
        raise ValueError(f"there is no telemetry in {replay}; name the data folder of an earlier run")
    if not settings.shift_s:
        raise ValueError("a replay needs to know where to begin; add --now with an instant of the record")
    return settings.replaying(replay.resolve(), speed, clock)


def _grant_all(settings: Settings) -> None:
    """Let a simulated site follow its plans from the beginning."""
    from api.caps import target_names
    from api.plan_store import PlanStore
    from api.wiring import clock_of, engine_of

    site = read_site(settings.site_path)
    plans = PlanStore(engine_of(settings), site.name, clock_of(settings))
    for name in target_names(site):
        plans.set_mode(name, Mode.AUTO, None, "simulation")


def _first_key(settings: Settings) -> str | None:
    """Bring the state database to the newest shape, and make a key where none is valid.

    Raises:
        CannotServe: others can reach the service, and there is no key that was made on purpose.
    """
    from api.store.keys import KeyStore
    from api.store.migrate import upgrade
    from api.supervisor import CannotServe
    from api.wiring import clock_of, engine_of

    engine = engine_of(settings)
    upgrade(engine)
    keys = KeyStore(engine, clock_of(settings))
    if keys.any_valid():
        return None
    if not settings.is_loopback:
        raise CannotServe(
            f"{settings.host} can be reached by others, and there is no key yet; make one first with "
            f"'chergui key new --data-dir {settings.data_dir}', or listen on 127.0.0.1"
        )
    return keys.new("admin", "first", who())


def who() -> str:
    """Who runs the command, for the record."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without a user entry
        return "cli"


def settings_in(data_dir: Path | None) -> Settings:
    """Settings of the service that ran in a folder; where none did, those of the sample site."""
    settings = _settings("dakhla", data_dir)
    if settings.memo_path.is_file():
        memo = settings.memo_path.read_text(encoding="utf-8")
        return replace(Settings.from_json(memo), data_dir=settings.data_dir)
    return settings


def state_of(data_dir: Path | None) -> tuple[Settings, Engine]:
    """Settings of the service that ran in a folder, and its state database, brought to the newest shape."""
    from api.store.migrate import upgrade
    from api.wiring import engine_of

    use_packaged_time_zones()
    settings = settings_in(data_dir)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = engine_of(settings)
    upgrade(engine)
    return settings, engine


def _keys(data_dir: Path | None) -> KeyStore:
    from api.store.keys import KeyStore
    from api.wiring import clock_of

    settings, engine = state_of(data_dir)
    return KeyStore(engine, clock_of(settings))


@key_app.command("new")
def key_new(
    scope: Annotated[ScopeName, typer.Option(help="read; write (and read); admin (and both).")] = ScopeName.write,
    label: Annotated[str, typer.Option(help="What it is for; shown in lists.")] = "",
    data_dir: DATA = None,
) -> None:
    """Make a key and print it, this once."""
    try:
        typer.echo(_keys(data_dir).new(scope.value, label, who()))
    except CherguiError as error:
        raise _fail(error) from None


@key_app.command("list")
def key_list(data_dir: DATA = None) -> None:
    """List keys by id; the keys themselves are kept nowhere."""
    try:
        for key in _keys(data_dir).all():
            gone = f"revoked {key.revoked_at}" if key.revoked_at else "valid"
            typer.echo(f"{key.id}  {key.scope:5}  {key.created_at}  {gone}  {key.label}")
    except CherguiError as error:
        raise _fail(error) from None


@key_app.command("revoke")
def key_revoke(key_id: Annotated[str, typer.Argument(help="The part after chergui_.")], data_dir: DATA = None) -> None:
    """Shut a key out from now on."""
    try:
        _keys(data_dir).revoke(key_id, who())
    except CherguiError as error:
        raise _fail(error) from None


@app.command()
def mode(
    target: Annotated[str | None, typer.Argument(help="Pool or asset; none: list all.")] = None,
    mode: Annotated[Mode | None, typer.Argument(help="shadow, auto or failsafe.")] = None,
    lease_s: Annotated[float | None, typer.Option(min=1, max=86400, help="Its lease; none: the site file's.")] = None,
    site: Annotated[str | None, typer.Option(help="Site file; none: that of the service in the data folder.")] = None,
    data_dir: DATA = None,
) -> None:
    """Show the modes, or set one: shadow and failsafe serve the default set, auto the plan."""
    from api.caps import target_names
    from api.modes import ModeChange, grant
    from api.plan_store import PlanStore
    from api.wiring import clock_of

    try:
        settings, engine = state_of(data_dir)
        found = read_site(find_site(site) if site else settings.site_path)
        plans = PlanStore(engine, found.name, clock_of(settings))
        if target is not None and mode is not None:
            version = grant(plans, found, target, ModeChange(mode=mode, lease_s=lease_s), who())
            typer.echo(f"{target} is {mode.value} from version {version} on")
            return
        held = plans.now()
        for name in [target] if target else target_names(found):
            own = held.target(name)
            lease = "" if own.lease_s is None else f", lease {own.lease_s:g} s"
            typer.echo(f"{name}: {own.mode.value}{lease}")
    except CherguiError as error:
        raise _fail(error) from None
