"""The source that fetches exporters' pages itself; several pages at a time, each fault its own.

Every poll also says of each page whether it answered and how long that took (measurement ``source``), so that a node
that fell silent is a fact in the store and not merely a gap.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from ingest.errors import SourceUnavailable
from ingest.points import Point, canonical, to_ns
from ingest.sources.http import Answer, ask
from ingest.sources.prometheus.rows import Mapped, Place, RowMap, is_dcgm_blank
from ingest.sources.prometheus.text import Sample, labels_of, read
from models.telemetry import SampleRow

_log = logging.getLogger("chergui.ingest.prometheus")
_AT_ONCE = 16
_TEXT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


class _Page(NamedTuple):
    points: list[Point]
    error: str
    seconds: float


class ScrapeSource:
    """Points of every page in ``urls``, stamped with the poll's time where a page gives none.

    ``unreachable`` says after each poll which pages failed, and why; ``refused`` why samples were left out, with how
    many each reason has cost.

    Raises:
        ValueError: a row's unit does not fit its metric.
    """

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        rows: Sequence[SampleRow],
        tags: Mapping[str, str],
        client: httpx.Client,
        *,
        period_s: float = 15.0,
        timeout_s: float = 5.0,
        max_page_bytes: int = 64 << 20,
    ) -> None:
        self.name = name
        self.period_s = period_s
        self.unreachable: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self.blanks = 0
        self._urls = tuple(urls)
        self._map = RowMap(rows, tags)
        self._rows_by_sample: dict[str, list[int]] = {}
        for number, row in enumerate(self._map.rows):
            self._rows_by_sample.setdefault(row.sample, []).append(number)
        self._blank_samples = frozenset(row.sample for row in self._map.rows if row.dcgm_blanks)
        self._tags = dict(tags)
        self._client = client
        self._timeout_s = timeout_s
        self._most_bytes = max_page_bytes
        self._pool = ThreadPoolExecutor(min(_AT_ONCE, len(self._urls)), thread_name_prefix=f"scrape {name}")

    def poll(self, now: datetime) -> Sequence[Point]:
        """Points of all pages together.

        Raises:
            SourceUnavailable: no page could be read at all.
        """
        time_ns = to_ns(now)
        points: list[Point] = []
        failed: dict[str, str] = {}
        for url, page in zip(self._urls, self._pool.map(lambda url: self._page(url, time_ns), self._urls), strict=True):
            points += page.points
            fields: dict[str, int | float] = {"reachable": int(not page.error), "fetch_s": page.seconds}
            tags = canonical({**self._tags, "source": self.name, "target": urlsplit(url).netloc})
            points.append(Point("source", tags, tuple(fields.items()), time_ns))
            if page.error:
                failed[url] = page.error
        self._tell(failed)
        if len(failed) == len(self._urls):
            raise SourceUnavailable(self.name, next(iter(failed.values())), points)
        return points

    def close(self) -> None:
        """Give threads and connections back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _page(self, url: str, time_ns: int) -> _Page:
        begun = time.monotonic()
        try:
            answer = ask(self._client, url, timeout_s=self._timeout_s, most_bytes=self._most_bytes, accept=_TEXT)
            points = self.points_of(answer, time_ns)
        except SourceUnavailable as error:
            return _Page([], error.reason, time.monotonic() - begun)
        if not points:
            wanted = ", ".join(list(self._rows_by_sample)[:3])
            return _Page([], f"the page has none of the samples asked for ({wanted}, ...)", time.monotonic() - begun)
        return _Page(points, "", time.monotonic() - begun)

    def points_of(self, answer: Answer, time_ns: int) -> list[Point]:
        """Points of one page; what is left out is counted in ``refused``.

        Raises:
            SourceUnavailable: the page is not UTF-8.
        """
        try:
            text = answer.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SourceUnavailable(self.name, f"byte {error.start} of the page is not UTF-8") from None
        unit = "s" if "openmetrics" in answer.content_type else "ms"
        samples, bad = read(text, self._rows_by_sample, time_unit=unit)
        out = Mapped([])
        for line in bad:
            out.refuse(f"line {line.line} cannot be read: {line.text}")
        mapped = self._map.mapped(self._placed(samples, time_ns, out))
        for told in (out.refused, mapped.refused):
            for why, count in told.items():
                self._refuse(why, count)
        return mapped.points

    def _placed(self, samples: Sequence[Sample], now_ns: int, out: Mapped) -> Iterator[tuple[Place, float, int]]:
        for name, labels, value, time_ns in samples:
            if name in self._blank_samples and is_dcgm_blank(value):
                self.blanks += 1
                continue
            try:
                places = self._map.places(name, labels, self._rows_by_sample[name], labels_of)
            except ValueError as error:
                out.refuse(f"{name}: {error}")
                continue
            for place in places:
                yield place, value, now_ns if time_ns is None else time_ns

    def _refuse(self, why: str, count: int) -> None:
        if why not in self.refused:
            if len(self.refused) >= 1000:
                return
            _log.warning("source %s leaves out: %s", self.name, why)
        self.refused[why] = self.refused.get(why, 0) + count

    def _tell(self, failed: dict[str, str]) -> None:
        for url in failed.keys() - self.unreachable.keys():
            _log.warning("source %s: %s: %s", self.name, url, failed[url])
        for url in self.unreachable.keys() - failed.keys():
            _log.info("source %s: %s answers again", self.name, url)
        self.unreachable = failed
