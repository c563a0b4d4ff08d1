"""Readings that are held back, as HTML: which series and why, and one series with the form that releases it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from api.pages.page import Asset, common, templates
from api.pages.words import Words, isolated
from ingest.catalogue import unit_of
from ingest.points import from_ns
from ingest.quality_words import WORDS
from ingest.quarantine import Held, Quarantined, Which

HOURS = (1, 24, 168)
"""Spans that the page offers."""


def list_page(
    site: str, zone: ZoneInfo, held: Sequence[Held], hours: int, tongue: Words, asset: Asset, silent: str | None = None
) -> str:
    """Every series with flagged values of the last ``hours``; ``silent``: why the store says nothing."""
    return (
        templates()
        .get_template("quarantine.html")
        .render(
            **common(tongue, asset),
            site=site,
            zone=zone,
            held=held,
            total=sum(one.held for one in held),
            noted=sum(one.noted for one in held),
            hours=hours,
            spans=HOURS,
            silent=silent,
            when=lambda time_ns: tongue.when(from_ns(time_ns), zone),
            why=lambda words: why(words, tongue),
            series=series_name,
        )
    )


def series_page(
    site: str,
    zone: ZoneInfo,
    which: Which,
    rows: Sequence[Quarantined],
    total: int,
    until: datetime,
    refused: str | None,
    tongue: Words,
    asset: Asset,
) -> str:
    """The newest flagged values of one series, and the form that releases all of them up to ``until``."""
    metric = which.metric or ""
    return (
        templates()
        .get_template("quarantine_series.html")
        .render(
            **common(tongue, asset),
            site=site,
            zone=zone,
            metric=metric,
            tags=sorted((which.tags or {}).items()),
            rows=rows,
            total=total,
            open=sum(row.released is None for row in rows),
            since=which.start,
            until=until,
            refused=refused,
            when=lambda time_ns: tongue.when(from_ns(time_ns), zone),
            why=lambda words: why(words, tongue),
            value=lambda row: _value(row, tongue),
        )
    )


def why(words: Sequence[str], tongue: Words) -> str:
    """What flags mean, one after the other; a word that is not ours stands for itself."""
    return "; ".join(tongue.t(f"flag.{word}") if word in WORDS else word for word in words)


def series_name(held: Held) -> str:
    """Metric and tags as an address and a reader may have them."""
    return " ".join([held.metric, *(f"{name}={text}" for name, text in held.tags)])


def _value(row: Quarantined, tongue: Words) -> str:
    """As it came, with its unit."""
    if row.value is None or isinstance(row.value, str | bool):
        return isolated(str(row.raw if row.value is None else row.value))
    unit = unit_of(row.metric)
    return tongue.quantity(float(row.value), "" if unit == "1" else unit, 3)
