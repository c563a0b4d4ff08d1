"""``chergui learn``: GPU curves, cooling and run times from a site's own measurements, as text for the site file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from api.commands.learn_plant import plant
from models.errors import CherguiError, Fault, InvalidInput

if TYPE_CHECKING:
    from ingest.ports import TelemetryStore
    from models.cooling_plant import CoolingSide
    from models.gpu_power import GpuModel

app = typer.Typer(add_completion=False, no_args_is_help=True)
learn_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Learn GPU curves, cooling and run times from measurements."
)
app.add_typer(learn_app, name="learn")
learn_app.command("plant")(plant)
_SITE = Annotated[str, typer.Option(help="Site file, or the name of a sample: dakhla, local.")]


@learn_app.command()
def gpu(
    sweeps: Annotated[list[Path], typer.Argument(help="Reports of chergui agent sweep, of one workload.")],
    model: Annotated[str, typer.Option("--gpu", help="Row of the GPU catalogue, e.g. A100-SXM-400W.")],
    workload: Annotated[str, typer.Option(help="pretrain, finetune or inference.")] = "pretrain",
    hot_c: Annotated[float, typer.Option(help="Windows at this temperature or above do not teach.")] = 85.0,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the service whose telemetry watched the GPUs; default: the user's data folder."),
    ] = None,
) -> None:
    """Fit a power-to-speed curve to sweeps and print it as a catalogue row; exit 2 where they cannot teach.

    Windows in which the service's telemetry flagged a GPU's power (starved, or not to be believed) do not teach.
    """
    from api.sweep_report import swept
    from ingest.site_file import gpu_rows
    from models.checking import validated
    from models.gpu_power import GpuModel
    from models.learn.gpu_fit import family_of, fit_curve
    from models.learn.gpu_samples import screen

    models = [validated(GpuModel, row, str(row["key"])) for row in gpu_rows()]
    row = next((m for m in models if m.key == model), None)
    if row is None or workload not in ("pretrain", "finetune", "inference"):
        known = ", ".join(m.key for m in models)
        raise typer.BadParameter(f"{model!r}, {workload!r}: known are {known}; pretrain, finetune, inference")
    try:
        store = _telemetry(data_dir)
        reports = [swept(path, hot_c, store) for path in sweeps]
        if store is not None:
            store.close()
        found = screen([sample for report in reports for sample in report.samples], row.idle_w)
        fitted = fit_curve(found.points, family_of(models), row, f"sweep of {', '.join(p.name for p in sweeps)}")
    except CherguiError as error:
        _refuse(error)
    for k, reason in found.left_out:
        typer.echo(f"left out: window {k}: {reason}", err=True)
    unseen = sum(report.unseen for report in reports)
    if store is not None and unseen:
        typer.echo(f"{unseen} window(s) without telemetry of every GPU: whether one starved is not known", err=True)
    typer.echo(_curve_text(row, workload, fitted.as_curve(workload).model_dump()))  # type: ignore[arg-type]


def _telemetry(data_dir: Path | None) -> TelemetryStore | None:
    """The store of the service in a folder; None, and why is said, where there is none.

    Raises:
        CherguiError: its settings, its site file or the store cannot be read.
    """
    from api.commands.service import settings_in
    from api.telemetry_store import store_beside
    from ingest.site_file import read_site

    settings = settings_in(data_dir)
    found = store_beside(settings, read_site(settings.site_path))
    if found is None:
        typer.echo(
            f"no telemetry in {settings.data_dir}: whether a GPU starved meanwhile is not known; name the folder of "
            "the service that watched it with --data-dir",
            err=True,
        )
    return found


def _curve_text(row: GpuModel, workload: str, curve: Mapping[str, Any]) -> str:
    lines = [
        f"# For [[gpu_models]] {row.key} of the site file, in place of its {workload} curve.",
        "[[gpu_models.curves]]",
        f'workload = "{workload}"',
        f'evidence = "{curve["evidence"]}"',
        f"source = {json.dumps(curve['source'], ensure_ascii=False)}",
        "points = [",
    ]
    for point in curve["points"]:
        values = ", ".join(f"{key} = {point[key]:g}" for key in ("limit_w", "drawn_w", "speed"))
        lines.append(f"  {{ {values} }},")
    return "\n".join([*lines, "]"])


@learn_app.command()
def cooling(
    records: Annotated[Path, typer.Argument(help="CSV: time (RFC 3339), heat_mw, power_mw, ambient_c of one side.")],
    site: _SITE,
    side: Annotated[str, typer.Option(help="Which side of the plant: air or liquid.")] = "air",
) -> None:
    """Identify a cooling side and print its parameters with 90 % bounds, as for the site file; exit 2 where refused."""
    from ingest.plant_records import read_plant_records
    from ingest.site_file import find_site, read_site
    from models.learn.plant_fit import identify_side
    from models.learn.plant_records import screen_records

    try:
        plant = read_site(find_site(site)).cooling
        prior: CoolingSide | None = None if plant is None else {"air": plant.air, "liquid": plant.liquid}.get(side)
        if prior is None:
            raise InvalidInput(site, [Fault(f"cooling.{side}", "missing", "the site has no such side; name another")])
        screened = screen_records(read_plant_records(records))
        found = identify_side(screened.records, prior, records.name)
    except InvalidInput as error:
        _refuse(error)
    for reason, count in screened.left_out.items():
        typer.echo(f"left out: {count} row(s) for {reason}", err=True)
    if found.unseen:
        typer.echo(f"not shown by these records, the catalogue's stay: {', '.join(found.unseen)}", err=True)
    typer.echo(f"# For [cooling.{side}] of the site file. Mean error of the power {found.mape:.1%}.")
    for name, value in found.parameters.items():
        typer.echo(f"{name} = {getattr(found.side, name):g}  # 90 %: {value.low:.3g} to {value.high:.3g}")
    if found.free_below_c is not None:
        typer.echo(f"# free cooling takes over at {found.free_below_c} degC")
    if found.side.evidence != "measured":
        message = "these records do not follow a side's physics; check the meters, or leave the catalogue's"
        typer.echo(f"not measured: the power is off by {found.mape:.0%}: {message}", err=True)
    typer.echo(f'evidence = "{found.side.evidence}"\nsource = {json.dumps(found.side.source, ensure_ascii=False)}')


@learn_app.command()
def jobs(
    accounting: Annotated[Path, typer.Argument(help="What sacct -P printed, times as epoch seconds.")],
    level: Annotated[float, typer.Option(min=0.05, max=0.95, help="Quantile that a plan would take.")] = 0.9,
) -> None:
    """Learn run times from Slurm's accounting and say how good they were on the newest fifth; exit 2 where refused."""
    from ingest.accounting import read_accounting
    from models.learn.judging import judged_run_times

    try:
        try:
            with accounting.open(encoding="utf-8-sig") as file:
                found = read_accounting(file, str(accounting))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(str(accounting), [Fault("", "not_readable", f"{error}; check the path")]) from None
        told = judged_run_times(found.ended, level)
    except InvalidInput as error:
        _refuse(error)
    for reason, count in found.left_out.items():
        typer.echo(f"left out: {count} job(s): {reason}", err=True)
    typer.echo(f"{told.taught} jobs taught, {told.judged} later ones judge:")
    typer.echo(f"  a job's P{level * 100:.0f} was not exceeded by {told.kept:.0%} of them")
    typer.echo(f"  the middle was off by a factor of {told.factor:.2f} (half of the jobs by less)")
    if told.limit_over is not None:
        typer.echo(f"  hours believed over hours run: limit {told.limit_over:.2f}, P{level * 100:.0f} {told.over:.2f}")


def _refuse(error: CherguiError) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(2)
