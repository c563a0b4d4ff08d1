"""``chergui check`` and ``chergui init``: is a site file right, and a first one to begin with."""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.machine_probe import seen_gpus, seen_partitions
from ingest.site_file import find_site, read_site, resolved_site
from ingest.site_skeleton import skeleton
from models.cooling_plant import CoolingMachine
from models.errors import Fault, InvalidInput
from models.gpu_power import envelope
from models.horizon import use_packaged_time_zones
from models.safety import default_proof
from models.site import Site

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def check(
    site: Annotated[str, typer.Argument(help="Site file, or the name of a sample: dakhla, local.")],
) -> None:
    """Check a site file; prints a summary (exit 0) or every error at once (exit 2)."""
    try:
        found = read_site(find_site(site))
        faults = list(_turbine_faults(found))
    except InvalidInput as error:
        faults = list(error.faults)
    if faults:
        for fault in faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{len(faults)} error(s) in {site}", err=True)
        raise typer.Exit(2)
    _print(found, Console())


@app.command()
def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; an existing one is kept.")] = Path(
        "site.toml"
    ),
    name: Annotated[str | None, typer.Option(help="Name of the site; default: this machine's.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA name; default: this machine's, else UTC.")] = None,
    currency: Annotated[str, typer.Option(help="Of every price, three letters.")] = "EUR",
) -> None:
    """Write a commented skeleton of a site file, with GPUs from nvidia-smi and partitions from sinfo if they exist."""
    use_packaged_time_zones()
    gpus, partitions = seen_gpus(), seen_partitions()
    text = skeleton(name or socket.gethostname(), timezone or _local_zone(), currency, gpus, partitions)
    try:
        resolved_site(tomllib.loads(text), "the skeleton")
    except InvalidInput as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        typer.echo(f"{output} exists and is kept; name another with --output", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"{output} cannot be written: {error.strerror}; name another with --output", err=True)
        raise typer.Exit(2) from None
    seen = [f"{gpu.count} x {gpu.name}" for gpu in gpus] + [f"partition {part.name}" for part in partitions]
    typer.echo(f"wrote {output}; found here: {', '.join(seen) or 'no GPUs and no Slurm, so the pool is an example'}")
    typer.echo(f"next: replace what is marked assumed, then run  chergui check {output}")


def _turbine_faults(site: Site) -> Iterator[Fault]:
    """Turbines without a power curve; windpowerlib, which knows, is too slow for each reading of a site."""
    if not site.wind:
        return
    from models.wind import turbine_curve

    for k, farm in enumerate(site.wind):
        try:
            turbine_curve(farm.turbine)
        except InvalidInput as error:
            yield from (Fault(f"wind[{k}].{fault.pointer}", fault.code, fault.message) for fault in error.faults)


def _local_zone() -> str:
    named = os.environ.get("TZ", "").removeprefix(":")
    if "/" in named and not named.startswith("/"):
        return named
    _, found, zone = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return zone if found and "/" in zone else "UTC"


def _print(site: Site, console: Console) -> None:
    proof = default_proof(site)
    console.print(f"[bold]{escape(site.title or site.name)}[/] ({escape(site.name)}) is right.")
    console.print(
        f"{site.timezone}, {site.latitude_deg:g}, {site.longitude_deg:g}; prices in {site.currency}; "
        f"{site.planning.slots} slots of {site.planning.step_minutes} min"
    )
    pools = Table("pool", "GPU", "GPUs", "busy MW", "idle MW", "default W", "curves", title="GPU pools")
    for pool in site.pools:
        gpu = site.gpu(pool.gpu)
        top = max(c.points[-1].drawn_w for c in gpu.curves) + site.host_w(pool)
        curves = ", ".join(
            f"{c.workload} {c.evidence}" + (f" (-{len(e.dropped)})" if (e := envelope(c.points)).dropped else "")
            for c in gpu.curves
        )
        pools.add_row(
            pool.name,
            pool.gpu,
            f"{pool.gpus:,}",
            f"{pool.gpus * top / 1e6:.3f}",
            f"{pool.gpus * site.idle_w(pool) / 1e6:.3f}",
            f"{pool.default.limit_w:g}",
            curves,
        )
    console.print(pools)
    for text in (*_supply(site), *_choices(site)):
        console.print(text, markup=False)
    stages = Table("default set", "after s", "IT MW", "site MW", title=f"Without a plan (firm {proof.firm_mw:g} MW)")
    for stage in proof.stages:
        stages.add_row(stage.name, f"{stage.seconds:g}", f"{stage.it_mw:.3f}", f"{stage.facility_mw:.3f}")
    console.print(stages)
    console.print(("" if proof.holds else "warning: ") + proof.sentence, markup=False)


def _supply(site: Site) -> list[str]:
    lines = [f"PV {s.name}: {s.peak_dc_mw:g} MW DC, {s.inverter_ac_mw:g} MW AC, {s.tracking}" for s in site.solar]
    lines += [f"wind {w.name}: {w.count} x {w.turbine}, {w.count * w.rated_mw:g} MW" for w in site.wind]
    lines += [f"battery {b.name}: {b.power_mw:g} MW, {b.floor_mwh:g} to {b.top_mwh:g} MWh" for b in site.batteries]
    lines.append(f"grid: import {site.grid.import_limit_mw:g} MW, export {site.grid.export_limit_mw:g} MW")
    lines += [f"{name}: {side.kind}, {side.rated_heat_mw:g} MW of heat, {side.evidence}" for name, side in _sides(site)]
    return lines


def _choices(site: Site) -> list[str]:
    """What jobs may choose from, and what bounds them."""
    lines = []
    for one in site.partners:
        quota = "" if one.quota_gpu_h_per_month is None else f", {one.quota_gpu_h_per_month:g} GPU-hours a month"
        wait = f", after {one.start_delay_minutes:g} min" if one.start_delay_minutes else ""
        price = f"{one.price_per_gpu_h:g} {site.currency} a GPU-hour"
        where = one.jurisdiction or "jurisdiction not said"
        lines.append(f"partner {one.name}: {one.gpus:,} x {one.gpu} at {price}{quota}{wait}; {where}")
    for tenant in site.tenants:
        rules = [f"in {', '.join(tenant.residency)} alone"] if tenant.residency else []
        rules += [] if tenant.may_rent else ["never rents"]
        lines.append(f"tenant {tenant.name}: {', '.join(rules)}")
    if site.storage is not None:
        lines.append(f"storage: {site.storage.gb_per_s:g} GB/s of checkpoints")
    return lines


def _sides(site: Site) -> list[tuple[str, CoolingMachine]]:
    if site.cooling is None:
        return []
    both = (("air side", site.cooling.air), ("liquid side", site.cooling.liquid))
    units = ((f"cooling unit {unit.name}", unit) for unit in site.cooling.units)
    return [*((name, side) for name, side in both if side is not None), *units]
