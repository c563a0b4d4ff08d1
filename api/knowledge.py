"""What a service keeps for its forecasts: trained models, the last weather run of each source, what the plants gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from api import logs
from api.cop_shelf import CopShelf
from api.forecast_shelf import Shelf
from ingest.errors import StoreUnavailable
from ingest.good_means import good_means
from ingest.ports import TelemetryStore
from models.errors import CherguiError, InvalidInput, NotFound

if TYPE_CHECKING:
    from models.forecast.bulbs import AirError
    from models.forecast.learned import Learned, Report
    from models.series import Series
    from models.weather import WeatherTable

HOUR = timedelta(hours=1)
SEASON_DAYS = 45
AIR_DAYS = 14
_METERS = {"pv_available_mw": "site.pv_mw", "wind_available_mw": "site.wind_mw"}
Answer = TypeVar("Answer")
_log = logs.get("planner")


@dataclass(frozen=True, slots=True)
class Champion:
    """A model that serves, the scores of its training, and on how many days since then it was scored."""

    model: Learned
    report: Report
    days_since: int


class Knowledge:
    """Below ``folder``, of ``site``; an opened model stays open until another stands in its place."""

    def __init__(self, folder: Path, site: str, telemetry: TelemetryStore | None = None) -> None:
        self.shelf = Shelf(folder, site)
        self.cops = CopShelf(folder, site)
        self._runs = self.shelf.folder / "runs"
        self._archive = self.shelf.folder / "past"
        self._here = {"site": site}
        self._telemetry = telemetry
        self._opened: dict[str, tuple[str, Learned, Report]] = {}
        self._today: dict[str, tuple[date, Any]] = {}
        self._air: tuple[date, AirError | None] | None = None

    def champion(self, quantity: str) -> Champion | str:
        """The model that serves, or why none does."""
        try:
            card = self.shelf.card(quantity)
            if card is None:
                return "no model is trained"
            why = self.shelf.fallen_back(quantity)
            if why is not None:
                return f"the model has fallen back: {why}"
            digest = str(card.get("digest"))
            known = self._opened.get(quantity)
            if known is None or known[0] != digest:
                known = self._opened[quantity] = (digest, *self.shelf.model(quantity))
            return Champion(known[1], known[2], self.shelf.scored_days(quantity))
        except (InvalidInput, NotFound) as error:
            _log.error("model_refused", quantity=quantity, reason=first_line(error))
            return f"the model is refused: {first_line(error)}"

    def keep(self, table: WeatherTable) -> None:
        """Keep a weather run, and one of six hours to learn from; where the disk refuses, the round goes on."""
        from ingest.sources.outlook.kept_run import archive, keep

        try:
            keep(self._runs, table)
            archive(self._archive, table)
        except OSError:
            _log.exception("run_not_kept", source=table.source)

    def last_runs(self) -> tuple[list[WeatherTable], list[str]]:
        """The runs that are kept, and what of them cannot be read."""
        from ingest.sources.outlook.kept_run import kept

        return kept(self._runs)

    def past_runs(self, since: datetime) -> tuple[list[WeatherTable], list[str]]:
        """The runs that were archived since then, and what of them cannot be read."""
        from ingest.sources.outlook.kept_run import archived

        return archived(self._archive, since)

    def measured(self, quantity: str, now: datetime, days: int = SEASON_DAYS) -> Series | None:
        """Hourly MW that plants gave over the last days, held back or not; None where nothing was metered.

        As all that is measured here: of values that are not flagged BAD; an hour that has no others is missing.
        """
        return self.metered(_METERS[quantity], now, timedelta(days=days))

    def planned_use(self, quantity: str, now: datetime, days: int) -> tuple[Series, Series] | None:
        """Hourly MW that plans used of sun or wind, and MW that they expected; None where none were written back."""
        past = timedelta(days=days)
        used = self.told(f"plan.{quantity.replace('available', 'used')}", now, past)
        offered = self.told(f"forecast.{quantity}", now, past, quantile="p50")
        return None if used is None or offered is None else (used, offered)

    def air_error(self, now: datetime) -> AirError | None:
        """What the site's thermometer (`site.dry_bulb_c`) showed beside the archived runs, looked up once a day."""
        if self._air is None or self._air[0] != now.date():
            from models.forecast.bulbs import air_error

            past = timedelta(days=AIR_DAYS)
            measured = self.metered("site.dry_bulb_c", now, past)
            if measured is None:
                return None
            self._air = (now.date(), air_error(self.past_runs(now - past)[0], measured, now))
        return self._air[1]

    def once_a_day(self, name: str, now: datetime, ask: Callable[[], Answer]) -> Answer:
        """What ``ask`` says, asked once a day (UTC).

        Raises:
            InvalidInput: as ``ask``.
        """
        known = self._today.get(name)
        if known is None or known[0] != now.date():
            known = self._today[name] = (now.date(), ask())
        answer: Answer = known[1]
        return answer

    def metered(self, metric: str, now: datetime, past: timedelta, **tags: str) -> Series | None:
        """Of what was measured, the values that may be believed."""
        here = self._here | tags
        return self._read(metric, now, lambda store, end: good_means(store, metric, here, end - past, end, HOUR))

    def told(self, metric: str, now: datetime, past: timedelta, **tags: str) -> Series | None:
        """Of plans and forecasts, as they were written back."""
        return self._read(metric, now, lambda store, end: store.query(metric, self._here | tags, end - past, end, HOUR))

    def _read(self, metric: str, now: datetime, ask: Callable[[TelemetryStore, datetime], Series]) -> Series | None:
        if self._telemetry is None:
            return None
        try:
            return ask(self._telemetry, now.replace(minute=0, second=0, microsecond=0))
        except NotFound:
            return None
        except (InvalidInput, StoreUnavailable) as error:
            _log.warning("meter_not_read", metric=metric, reason=first_line(error))
            return None


def first_line(error: CherguiError) -> str:
    """What went wrong, on one line: the first fault where there are several."""
    faults = error.faults if isinstance(error, InvalidInput) else ()
    return str(faults[0].message) if faults else str(error).splitlines()[0]
