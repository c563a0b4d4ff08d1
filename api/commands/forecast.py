"""``chergui forecast``: train a site's forecasts of sun and wind, score what serves, show the fan of the next hours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from api.commands.forecast_loads import loads_of, tell_load
from api.settings import default_data_dir, moment_option
from ingest.site_file import find_site, read_site
from models.errors import CherguiError, InvalidInput
from models.horizon import use_packaged_time_zones

if TYPE_CHECKING:
    from api.knowledge import Knowledge
    from ingest.sources.outlook.forecast_history import Past
    from models.forecast.learned import Report
    from models.horizon import Horizon
    from models.series import Values
    from models.site import Site

app = typer.Typer(add_completion=False, no_args_is_help=True)
forecast = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Forecasts of sun and wind that learn from the site's own past: train, score, show.",
)
app.add_typer(forecast, name="forecast")

SiteOption = Annotated[str, typer.Option(help="Site file, or the name of a sample: dakhla, local.")]
DataOption = Annotated[Path | None, typer.Option(help="Folder that keeps the models; default: the user's data folder.")]
RunsOption = Annotated[Path | None, typer.Option(help="CSV of past weather runs, issued_at first.")]
ActualOption = Annotated[Path | None, typer.Option(help="CSV of measured power, MW by slot.")]
LoadsOption = Annotated[Path | None, typer.Option(help="CSV of past loads, MW by slot, instead of the site's meters.")]
NowOption = Annotated[str | None, typer.Option(help="Work as of this instant (RFC 3339) instead of the present.")]
DaysOption = Annotated[int, typer.Option(min=30, max=730, help="Days of past that a synthetic site makes up.")]


@forecast.command("train")
def train_command(
    site: SiteOption = "dakhla",
    data_dir: DataOption = None,
    runs: RunsOption = None,
    actual: ActualOption = None,
    days: DaysOption = 120,
    now: NowOption = None,
) -> None:
    """Train, score beside the baselines, keep what beats them: exit 0, 1 where one cannot be learned, 2 bad input."""
    with _refusals():
        from api.forecasting import Trained, trained

        found, moment, past, knowledge = _begun(site, data_dir, now, days, runs, actual)
        failed = 0
        for one in trained(found, past, moment, knowledge.shelf):
            if not isinstance(one, Trained):
                failed += 1
                typer.echo(f"{one[0]}: not learned; the physics go on serving\n{one[1]}", err=True)
                continue
            _scores(one.quantity, one.report)
            typer.echo(f"  {'promoted' if one.verdict.promoted else 'not promoted'}: {one.verdict.reason}")
            typer.echo(f"  {_proof(one.report.days, one.report.proven)}")
            for note in one.report.notes:
                typer.echo(f"  {note}")
    if failed:
        raise typer.Exit(1)


@forecast.command("score")
def score_command(
    site: SiteOption = "dakhla",
    data_dir: DataOption = None,
    runs: RunsOption = None,
    actual: ActualOption = None,
    loads: LoadsOption = None,
    days: DaysOption = 120,
    now: NowOption = None,
) -> None:
    """Score the kept models on what came after they were trained, and metered loads over two weeks.

    Exit 0, 1 where a model has drifted, 2 bad input.
    """
    with _refusals():
        from api.forecasting import scored

        found, moment, past, knowledge = _begun(site, data_dir, now, days, runs, actual)
        alarms = watched = 0
        for one in scored(found, past, moment, knowledge.shelf):
            watched += 1
            typer.echo(f"{one.quantity}: {'serves' if one.standing.serves else 'has fallen back to the physics'}")
            typer.echo(f"  {one.standing.reason}")
            typer.echo(f"  {_proof(one.report.days + len(one.days), one.standing.proven)}")
            for day in one.days[-7:]:
                beside = ", ".join(f"{name} {value:.4f}" for name, value in sorted(day.pinball.items()))
                typer.echo(f"  {day.day}: {beside}; P5 to P95 covered {day.cover:.0%}")
            if one.standing.alarm:
                alarms += 1
                typer.echo(f"  {one.standing.alarm}", err=True)
        metered = loads_of(found, _next_hours(moment, 24), moment, knowledge, loads)
        for name, load in metered.items():
            tell_load(name, load)
        if not watched and not metered:
            _none_kept()
    if alarms:
        raise typer.Exit(1)


@forecast.command("show")
def show_command(
    site: SiteOption = "dakhla",
    data_dir: DataOption = None,
    runs: RunsOption = None,
    actual: ActualOption = None,
    loads: LoadsOption = None,
    days: DaysOption = 120,
    now: NowOption = None,
    hours: Annotated[int, typer.Option(min=1, max=48, help="Hours to show.")] = 24,
) -> None:
    """Show the fan (P5 to P95) of the next hours with its step, age and skill: exit 0, 2 bad input or no model."""
    with _refusals():
        from api.forecasting import fan_of, past_of, physics_band
        from models.forecast.plants import QUANTITIES
        from models.horizon import rfc3339

        path = find_site(site).resolve()
        found, moment = read_site(path), moment_option(now) or datetime.now(UTC)
        knowledge = _knowledge(path, found, data_dir)
        past = past_of(found, moment, days, runs, actual, knowledge) if runs or actual else None
        shelf = knowledge.shelf
        models = shelf.models(QUANTITIES, lambda text: typer.echo(text, err=True))
        horizon = _next_hours(moment, hours)
        metered = loads_of(found, horizon, moment, knowledge, loads, path.parent)
        if not models and not metered:
            _none_kept()
        for quantity, (model, report) in models.items():
            why = shelf.fallen_back(quantity)
            if why is not None:
                band = physics_band(found, quantity, horizon, moment, path.parent)
                typer.echo(f"{quantity}: fallen back to the physics ({why})\n  {band.method}")
                _rows(horizon, ("P10", "P50", "P90"), band.quantiles())
                continue
            fan, _ = fan_of(found, model, past, horizon, moment, path.parent, knowledge)
            typer.echo(f"{quantity}: {fan.step}" + (f" ({fan.reason})" if fan.reason else ""))
            typer.echo(f"  {fan.method}; weather {fan.source}, known since {rfc3339(fan.available_at)}")
            typer.echo(f"  {'synthetic; ' if fan.synthetic else ''}{_proof(report.days, report.proven)}")
            _skill_by_lead(report)
            _rows(horizon, ("P5", "P50", "P95"), [fan.at(level) for level in (0.05, 0.5, 0.95)])
        for name, load in metered.items():
            tell_load(name, load)
            if load.bands is not None:
                _rows(horizon, ("P5", "P50", "P95"), [load.bands[level] for level in ("p05", "p50", "p95")])


def _next_hours(moment: datetime, hours: int) -> Horizon:
    """Quarter hours from the next border on."""
    from models.horizon import Horizon

    start = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)
    return Horizon(start, timedelta(minutes=15), hours * 4)


def _none_kept() -> NoReturn:
    message = "no model is kept here yet and no load is metered; run  chergui forecast train  or give --loads"
    typer.echo(message, err=True)
    raise typer.Exit(2)


def _rows(horizon: Horizon, heads: Sequence[str], quantiles: Iterable[Sequence[float] | Values]) -> None:
    """A line an hour, its first slot; three digits that count of the most, two decimals at least."""
    rows = list(zip(*quantiles, strict=True))
    most = max((abs(value) for values in rows for value in values), default=0.0)
    digits = 2 if most >= 1 or most == 0 else 2 - math.floor(math.log10(most))
    typer.echo(f"  {'UTC':<18}" + "".join(f"{head:>9}" for head in heads) + "  MW")
    for slot, values in enumerate(rows):
        if horizon.at(slot).minute == 0:
            typer.echo(f"  {horizon.at(slot):%Y-%m-%d %H:%M}  " + "".join(f"{value:9.{digits}f}" for value in values))


def _begun(
    site: str, data_dir: Path | None, now: str | None, days: int, runs: Path | None, actual: Path | None
) -> tuple[Site, datetime, Past, Knowledge]:
    from api.forecasting import past_of
    from ingest.sources.outlook.weather import far_from

    path = find_site(site).resolve()
    found = read_site(path)
    moment = moment_option(now) or datetime.now(UTC)
    knowledge = _knowledge(path, found, data_dir)
    past = past_of(found, moment, days, runs, actual, knowledge)
    if told := far_from(found, past.runs[0].place):
        typer.echo(f"the weather runs are{told.removeprefix(';')}", err=True)
    return found, moment, past, knowledge


def _knowledge(path: Path, site: Site, data_dir: Path | None) -> Knowledge:
    """What the service keeps in its data folder; its telemetry only where there is some."""
    from api.knowledge import Knowledge
    from api.settings import Settings
    from api.telemetry_store import store_beside

    settings = Settings(path, (data_dir or default_data_dir()).resolve())
    return Knowledge(settings.data_dir, site.name, store_beside(settings, site))


@contextmanager
def _refusals() -> Iterator[None]:
    """Faults line by line and exit 2."""
    use_packaged_time_zones()
    try:
        yield
    except InvalidInput as error:
        typer.echo(f"{error.what} was refused:", err=True)
        for fault in error.faults:
            typer.echo(f"  {fault}", err=True)
        raise typer.Exit(2) from None
    except (ValueError, CherguiError) as error:
        typer.echo(f"chergui: {error}", err=True)
        raise typer.Exit(2) from None


def _proof(days: int, proven: bool) -> str:
    from models.forecast.learned import PROVEN_DAYS

    return f"{days} day(s) scored" + ("" if proven else f"; unproven until {PROVEN_DAYS} are")


def _scores(quantity: str, report: Report) -> None:
    """Pinball in per cent of the capacity, whole and by lead, for the model and every baseline."""
    from models.forecast.learned import LEAD_EDGES_H

    heads = [f"<{edge:g} h" for edge in LEAD_EDGES_H] + [f">{LEAD_EDGES_H[-1]:g} h"]
    typer.echo(f"{quantity}: pinball in % of the capacity, held out, by lead")
    typer.echo(f"  {'':<24}{'all':>8}" + "".join(f"{head:>8}" for head in heads))
    for name, score in sorted(report.scores.items(), key=lambda pair: pair[1].pinball):
        cells = "".join(f"{'-' if value != value else f'{100 * value:.2f}':>8}" for value in score.by_lead)
        typer.echo(f"  {name:<24}{100 * score.pinball:8.2f}{cells}")
    found = report.reliability
    typer.echo(
        f"  P5 to P95 covers {found.cover:.0%} (below {found.below_p5:.1%}, above {found.above_p95:.1%}); "
        f"mean decile error {found.decile_error:.3f}"
    )


def _skill_by_lead(report: Report) -> None:
    from models.forecast.learned import LEAD_EDGES_H

    heads = [f"under {edge:g} h" for edge in LEAD_EDGES_H] + [f"beyond {LEAD_EDGES_H[-1]:g} h"]
    told = zip(heads, report.skill_by_lead, strict=True)
    parts = ", ".join(f"{head} {skill:.0%}" for head, skill in told if skill is not None)
    typer.echo(f"  better than {report.best_baseline} by lead: {parts}")
