"""Prices and carbon of a horizon: a site's series where they reach, its tariff and mean carbon where they do not.

A day-ahead market ends at midnight; the slots after it keep the tariff's price, and the note says from when. A series
that cannot be had or read now costs no plan: the last good one counts, or the tariff, and the note says why.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

from ingest.errors import SourceUnavailable
from ingest.sources.http import ask, client_for
from ingest.sources.outlook.series_text import parse
from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339
from models.market import MarketSeries
from models.series import Series
from models.site import Site
from models.tariff import prices

_MOST_BYTES = 16 << 20
LastGood = MutableMapping[str, Series]
"""The newest series that could be read, by its place in the site file; the caller keeps it between rounds."""


@dataclass(frozen=True, slots=True)
class MarketNote:
    """Where a series came from: ``series`` as in a problem document; ``issued_at`` None for a tariff."""

    series: str
    source: str
    issued_at: datetime | None
    method: str


@dataclass(frozen=True, slots=True)
class MarketView:
    """Values per slot, and a note for each series that is not the tariff's alone."""

    import_per_mwh: list[float]
    export_per_mwh: list[float]
    carbon_kg_per_mwh: list[float]
    notes: tuple[MarketNote, ...]


def market_for(
    site: Site,
    horizon: Horizon,
    now: datetime,
    base: Path | None = None,
    last_good: LastGood | None = None,
    client: httpx.Client | None = None,
) -> MarketView:
    """Prices and carbon of ``horizon`` as known at ``now``; ``base`` is the folder that file paths start from."""
    tariff = prices(site.tariff, horizon, site.zone)
    kept: LastGood = {} if last_good is None else last_good
    notes: list[MarketNote] = []

    def told(
        key: str, source: MarketSeries | None, unit: str, usual: Sequence[float], extra: float = 0.0
    ) -> list[float]:
        if source is None:
            return list(usual)
        values, note = _told(key, source, unit, usual, extra)
        notes.append(note)
        return values

    def _told(
        key: str, source: MarketSeries, unit: str, usual: Sequence[float], extra: float
    ) -> tuple[list[float], MarketNote]:
        trouble = ""
        try:
            kept[key] = _known(read_series(source, unit, now, base, client), now)
        except (InvalidInput, SourceUnavailable) as error:
            trouble = f"not read now ({error}); "
        found = kept.get(key)
        if found is not None:
            try:
                values, method = _filled(found, horizon, usual, extra)
            except InvalidInput as error:
                trouble = f"not usable ({error}); "
            else:
                older = f"{trouble}the last good one: " if trouble else ""
                return values, MarketNote(key, found.source, found.available_at, older + method)
        named = source.url or source.path or ""
        return list(usual), MarketNote(key, named, None, f"{trouble}the tariff's throughout")

    market = site.market
    return MarketView(
        told(
            "import_price_per_mwh",
            market.import_price,
            f"{site.currency}/MWh",
            tariff.import_per_mwh,
            site.tariff.tax_per_mwh,
        ),
        told("export_price_per_mwh", market.export_price, f"{site.currency}/MWh", tariff.export_per_mwh),
        told("carbon_kg_per_mwh", market.carbon, "kg/MWh", [site.grid.carbon_kg_per_mwh] * horizon.slots),
        tuple(notes),
    )


def _known(found: Series, now: datetime) -> Series:
    if found.available_at is not None and found.available_at > now:
        message = f"it is known from {rfc3339(found.available_at)} on, after {rfc3339(now)}"
        raise InvalidInput(f"the series {found.source!r}", [Fault("available_at", "not_known_yet", message)])
    return found


def read_series(
    source: MarketSeries, wanted: str, now: datetime, base: Path | None = None, client: httpx.Client | None = None
) -> Series:
    """The series that a site file names, in ``wanted``.

    Raises:
        InvalidInput: the file or text is refused (see series_text).
        SourceUnavailable: an address gives no answer.
    """
    if source.url is not None:
        token = None if source.token_file is None else (base or Path()) / source.token_file
        asked = client or client_for(timeout_s=source.timeout_s, token_file=token)
        try:
            body = ask(asked, source.url, timeout_s=source.timeout_s, most_bytes=_MOST_BYTES).body
        finally:
            if client is None:
                asked.close()
        what, known = source.url, now
    else:
        path = (base or Path()) / (source.path or "")
        what = str(source.path)
        try:
            body, known = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError as error:
            message = f"{error.strerror}; check the path"
            raise InvalidInput(f"the series {path}", [Fault("", "not_readable", message)]) from None
    return parse(body, what, wanted=wanted, unit=source.unit, known=known, time=source.time, value=source.value)


def _filled(found: Series, horizon: Horizon, usual: Sequence[float], extra: float) -> tuple[list[float], str]:
    """Means on the horizon's slots, ``usual`` where the series says nothing; and how it was done."""
    fitted = found.resampled(horizon.step)
    offset, rest = divmod(horizon.start - fitted.start, horizon.step)
    if rest:
        message = f"its slots begin at {rfc3339(found.start)}, the horizon's at {rfc3339(horizon.start)}; align them"
        raise InvalidInput(f"the series {found.source!r}", [Fault("start", "unfit_start", message)])
    places = np.arange(offset, offset + horizon.slots)
    inside = (places >= 0) & (places < len(fitted))
    values = np.where(inside, fitted.values[np.clip(places, 0, len(fitted) - 1)], np.nan) + extra
    missing = np.isnan(values)
    method = "as the series says" + (f", {extra:g} of tax added" if extra else "")
    if missing.all():
        method = "the series does not reach this horizon: the tariff's throughout"
    elif missing.any():
        first = rfc3339(horizon.at(int(np.flatnonzero(missing)[0])))
        method += f"; the tariff's in {int(missing.sum())} slot(s) that it leaves out, the first at {first}"
    return [float(u if gone else v) for u, v, gone in zip(usual, values, missing, strict=True)], method
