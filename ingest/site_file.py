"""Read a site file: TOML in, a checked :class:`models.site.Site` out, catalogue rows filled in.

A site file names a GPU by its key and a side of the cooling plant by ``model``; both are looked up in the
catalogues that ship with the package. Rows of the file's own (``[[gpu_models]]``) win over them.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ingest.job_rules import job_faults
from ingest.telemetry_rules import telemetry_faults
from models.errors import Fault, InvalidInput
from models.site import Site, site_from

SAMPLES = ("dakhla", "local")


def sample_path(name: str) -> Path:
    """Path of a site file that ships with the package; see :data:`SAMPLES`."""
    return Path(str(files("data") / "sites" / f"{name}.toml"))


def find_site(text: str) -> Path:
    """Path of a site file from what an operator typed: a sample's name, or a path."""
    return sample_path(text) if text in SAMPLES else Path(text)


@cache
def _catalogue(name: str) -> tuple[dict[str, Any], ...]:
    text = (files("data") / "catalogues" / f"{name}.toml").read_text(encoding="utf-8")
    (rows,) = tomllib.loads(text).values()
    return tuple(rows)


def gpu_rows() -> tuple[dict[str, Any], ...]:
    """Rows of the GPU catalogue as plain data."""
    return _catalogue("gpus")


def cooling_rows() -> tuple[dict[str, Any], ...]:
    """Rows of the cooling catalogue as plain data."""
    return _catalogue("cooling")


def read_site(path: Path | str) -> Site:
    """Site of a TOML file.

    Raises:
        InvalidInput: not readable, not TOML, or anything wrong in it; every fault at once, by dotted path.
    """
    what = f"the site file {path}"
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save it as UTF-8"
        raise InvalidInput(what, [Fault("", "not_utf8", message)]) from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(what, [Fault("", "not_toml", f"not TOML: {error}")]) from None
    return resolved_site(raw, what, Path(path).parent)


def resolved_site(raw: dict[str, Any], what: str = "the site", folder: Path | None = None) -> Site:
    """Site of plain data as a site file holds it, catalogue rows looked up.

    ``folder`` is where relative paths begin; None: they are not looked for.

    Raises:
        InvalidInput: every fault at once, by dotted path.
    """
    found = [*_weather_faults(raw, folder), *telemetry_faults(raw, folder), *job_faults(raw, folder)]
    full = dict(raw)
    own = raw.get("gpu_models", [])
    if isinstance(own, list):
        keys = {row.get("key") for row in own if isinstance(row, dict)}
        full["gpu_models"] = [*own, *(row for row in gpu_rows() if row["key"] not in keys)]
    cooling = raw.get("cooling")
    if isinstance(cooling, dict):
        full["cooling"] = {**cooling, **_machines(cooling, found)}
    try:
        site = site_from(full, what)
    except InvalidInput as error:
        lost = tuple(f.pointer.removesuffix(".model") + "." for f in found if f.code == "unknown_cooling_model")
        others = [f for f in error.faults if not (f.code == "missing" and f.pointer.startswith(lost))]
        raise InvalidInput(what, sorted([*found, *others], key=lambda fault: fault.pointer)) from None
    if found:
        raise InvalidInput(what, found)
    return site


def climate_path(name: str) -> Path:
    """Path of a made-up year of weather that ships with the package; may not exist."""
    return Path(str(files("data") / "weather" / f"{name}.csv.gz"))


def climates() -> list[str]:
    """Names of the made-up years of weather that ship with the package."""
    return sorted(path.name.removesuffix(".csv.gz") for path in climate_path("x").parent.glob("*.csv.gz"))


def _weather_faults(raw: dict[str, Any], folder: Path | None) -> Iterator[Fault]:
    weather = raw.get("weather", {})
    if not isinstance(weather, dict):
        return
    if weather.get("kind", "synthetic") == "synthetic":
        name = weather.get("climate", raw.get("name"))
        if isinstance(name, str) and name not in climates():
            message = f"there is no made-up weather {name!r}; write one of {', '.join(climates())}, or name a source"
            yield Fault("weather.climate", "unknown_climate", message)
    path = weather.get("path")
    if folder is not None and isinstance(path, str) and not (folder / path).is_file():
        yield Fault("weather.path", "no_such_file", f"there is no file {path!r} beside the site file; mend the path")


def _machines(cooling: dict[str, Any], found: list[Fault]) -> dict[str, Any]:
    """Sides and units with what the catalogue says of their model."""
    full: dict[str, Any] = {
        side: _machine(f"cooling.{side}", cooling[side], found) for side in ("air", "liquid") if side in cooling
    }
    units = cooling.get("units")
    if isinstance(units, list):
        full["units"] = [_machine(f"cooling.units[{k}]", unit, found) for k, unit in enumerate(units)]
    return full


def _machine(place: str, given: Any, found: list[Fault]) -> Any:
    if not isinstance(given, dict) or not isinstance(given.get("model"), str):
        return given
    rows = {row["key"]: {k: v for k, v in row.items() if k not in ("key", "title")} for row in cooling_rows()}
    row = rows.get(given["model"])
    if row is not None:
        return {**row, **given}
    near = difflib.get_close_matches(given["model"], rows, 1, 0.5)
    mend = f"did you mean {near[0]}?" if near else f"known: {', '.join(rows)}"
    message = f"{given['model']!r} is no row of the cooling catalogue; {mend}"
    found.append(Fault(f"{place}.model", "unknown_cooling_model", message))
    return given
