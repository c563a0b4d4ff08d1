"""Weather of a site beside its forecast: the members of an ensemble, and stored single runs, each as of an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.sources.outlook import open_meteo, open_meteo_runs
from models import strict_json
from models.errors import Fault, InvalidInput
from models.horizon import Horizon
from models.site import Site
from models.sky import Place
from models.weather import WeatherTable

_NAMED = "%Y%m%dT%H"


def members_for(site: Site, horizon: Horizon, now: datetime, base: Path | None = None) -> list[WeatherTable]:
    """Control run and members of the ensemble that the site names, asked now or as stored; none where it names none.

    Raises:
        InvalidInput: the document is refused.
        SourceUnavailable: the service gives no answer.
    """
    named = site.weather.ensemble
    if named is None:
        return []
    if not named.startswith(("http://", "https://")):
        path = _path(named, base)
        return open_meteo_runs.ensemble(_document(path), fetched_at=_known_since(path))
    place = Place(site.latitude_deg, site.longitude_deg, site.altitude_m)
    hours = -(-(horizon.end - now) // timedelta(hours=1))
    document = open_meteo.ask(named, place, hours=hours, model=site.weather.ensemble_model)
    return open_meteo_runs.ensemble(document, fetched_at=now)


def run_for(site: Site, horizon: Horizon, now: datetime, base: Path | None = None) -> WeatherTable | None:
    """The newest stored single run that was known at ``now`` and covers ``horizon``; None where there is none.

    A run counts as known ``run_delay_h`` after the initialisation that its file is named by, whenever the file came.

    Raises:
        InvalidInput: a file of the folder has another name, or a document is refused.
    """
    if site.weather.runs is None:
        return None
    folder = _path(site.weather.runs, base)
    delay = timedelta(hours=site.weather.run_delay_h)
    runs = sorted(((_initialised(path), path) for path in folder.glob("*.json")), reverse=True)
    for run, path in runs:
        if run + delay > now:
            continue
        table = open_meteo_runs.single_run(_document(path), run=run, delay=delay)
        if table.start <= horizon.start and table.end >= horizon.end:
            return table
    return None


def _initialised(path: Path) -> datetime:
    try:
        return datetime.strptime(path.stem, _NAMED).replace(tzinfo=UTC)
    except ValueError:
        message = f"{path.name} does not name a run; call it by its initialisation in UTC, such as 20260601T00.json"
        raise InvalidInput(f"the weather runs {path.parent}", [Fault("", "no_run", message)]) from None


def _document(path: Path) -> object:
    what = f"the Open-Meteo document {path}"
    try:
        return strict_json.loads(path.read_bytes(), what)
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None


def _known_since(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _path(named: str, base: Path | None) -> Path:
    path = Path(named.removeprefix("file://"))
    return path if path.is_absolute() or base is None else base / path
