"""The source that asks a server with Prometheus' HTTP API for what it has gathered already.

After prometheus.io/docs/prometheus/latest/querying/api. Each row of the site file is a query of its own with a place
up to which its values are in our store; that place moves only when the store says so (:meth:`PrometheusSource.settle`),
so that neither an outage of the server nor one of our disk leaves a gap that the server could still fill.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from ingest.errors import SourceUnavailable
from ingest.points import NS, Point, to_ns
from ingest.sources.http import ask, json_of
from ingest.sources.prometheus.rows import Place, RowMap
from models.telemetry import QueryRow

_log = logging.getLogger("chergui.ingest.prometheus")
_MOST_BYTES = 256 << 20
_MOST_STEPS = 11_000  # the API refuses more values a series
_FIRST_STEPS = 10  # until it is known how many series a query has
_BATCH = 50_000  # values that a poll asks for, about
_TOLD = (200, 400, 422, 503)  # statuses whose body says what is wrong


class PrometheusSource:
    """Values of ``rows`` from ``url`` (without /api/v1), every ``step_s``.

    ``failed`` says after each poll which queries failed, and why.

    Raises:
        ValueError: a row's unit does not fit its metric.
    """

    def __init__(
        self,
        name: str,
        url: str,
        rows: Sequence[QueryRow],
        tags: Mapping[str, str],
        client: httpx.Client,
        *,
        period_s: float = 60.0,
        step_s: int = 30,
        delay_s: float = 30.0,
        backfill_s: float = 3600.0,
        timeout_s: float = 20.0,
    ) -> None:
        self.name = name
        self.period_s = period_s
        self.failed: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self._url = url.rstrip("/") + "/api/v1/"
        self._map = RowMap(rows, tags)
        self._client = client
        self._step_ns = step_s * NS
        self._delay_ns = int(delay_s * NS)
        self._backfill_ns = int(backfill_s * NS)
        self._timeout_s = timeout_s
        self._series = [0] * len(self._map.rows)
        self._kept: dict[int, int] = {}
        self._handed: dict[int, int] | None = None

    def poll(self, now: datetime) -> Sequence[Point]:
        """What is new since the last batch that was kept; nothing while one still waits for the store.

        Raises:
            SourceUnavailable: no query was answered.
        """
        if self._handed is not None:
            return []
        end = (to_ns(now) - self._delay_ns) // self._step_ns * self._step_ns
        reached = dict(self._kept)
        failed: dict[str, str] = {}
        samples: list[tuple[Place, float, int]] = []
        for number, row in enumerate(self._map.rows):
            try:
                samples += self._row(number, end, reached, len(samples))
            except SourceUnavailable as error:
                failed[row.query] = error.reason
        self._tell(failed)
        if len(failed) == len(self._map.rows):
            raise SourceUnavailable(self.name, next(iter(failed.values())))
        mapped = self._map.mapped(samples)
        for why, count in mapped.refused.items():
            if why not in self.refused:
                _log.warning("source %s leaves out: %s", self.name, why)
            self.refused[why] = self.refused.get(why, 0) + count
        if mapped.points:
            self._handed = reached
        else:
            self._kept = reached
        return mapped.points

    def settle(self, batch: Sequence[Point], kept: bool) -> None:  # noqa: ARG002  one batch is out at a time
        """See Settling: what was not kept is asked for again."""
        if kept and self._handed is not None:
            self._kept = self._handed
        self._handed = None

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _row(self, number: int, end: int, reached: dict[int, int], gathered: int) -> list[tuple[Place, float, int]]:
        """Samples of a row up to ``end``, or as many as a batch takes; moves ``reached`` as far as it came."""
        found: list[tuple[Place, float, int]] = []
        at = reached.get(number, max(0, end - self._backfill_ns // self._step_ns * self._step_ns) - self._step_ns)
        while at < end and (not found or gathered + len(found) < _BATCH):
            series = self._series[number]
            steps = min(_MOST_STEPS, max(1, _BATCH // series)) if series else _FIRST_STEPS
            upto = min(end, at + steps * self._step_ns)
            try:
                found += self._window(number, at, upto)
            except SourceUnavailable:
                if not found:
                    raise
                break  # what came before it is kept; the next poll begins at this window and tells
            at = reached[number] = upto
        return found

    def _window(self, number: int, after: int, upto: int) -> list[tuple[Place, float, int]]:
        """Samples of a row in (after, upto]."""
        row = self._map.rows[number]
        if row.raw:
            form = {"query": f"{row.query}[{(upto - after) // NS}s]", "time": str(upto // NS)}
            answer = self._asked("query", form)
        else:
            step = self._step_ns // NS
            form = {"query": row.query, "start": str(after // NS + step), "end": str(upto // NS), "step": str(step)}
            answer = self._asked("query_range", form)
        series = answer["result"]
        self._series[number] = max(1, len(series))
        try:
            return [sample for one in series for sample in self._samples(number, one, after)]
        except (TypeError, ValueError, KeyError) as error:
            raise SourceUnavailable(self.name, f"a series cannot be read ({error}); is this Prometheus' API?") from None

    def _samples(self, number: int, series: Mapping[str, Any], after: int) -> Iterator[tuple[Place, float, int]]:
        text = json.dumps(series["metric"], sort_keys=True)
        for place in self._map.places(number, text, (number,), json.loads):
            for second, value in series.get("values", ()):  # native histograms have none
                time_ns, number_told = round(second * 1000) * 1_000_000, float(value)
                if time_ns > after:  # older servers give the sample on the left border too
                    yield place, number_told, time_ns

    def _asked(self, path: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """``data`` of an answer that is a matrix."""
        url = self._url + path
        answer = ask(self._client, url, timeout_s=self._timeout_s, most_bytes=_MOST_BYTES, form=form, statuses=_TOLD)
        told = json_of(answer, url)
        if not isinstance(told, dict) or told.get("status") not in ("success", "error"):
            raise SourceUnavailable(self.name, f"{url} does not speak Prometheus' API: {answer.body[:100]!r}")
        if told["status"] == "error":
            raise SourceUnavailable(self.name, f"{told.get('errorType', 'error')}: {told.get('error', '')}")
        for warning in told.get("warnings", ()):
            _log.warning("source %s: the server warns: %s", self.name, warning)
        data = told.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
            kind = data.get("resultType") if isinstance(data, dict) else None
            raise SourceUnavailable(
                self.name, f"{form['query']!r} gives a {kind}, not series over time; mend the query"
            )
        return data

    def _tell(self, failed: dict[str, str]) -> None:
        for query in failed.keys() - self.failed.keys():
            _log.warning("source %s: %s: %s", self.name, query, failed[query])
        for query in self.failed.keys() - failed.keys():
            _log.info("source %s: %s is answered again", self.name, query)
        self.failed = failed
