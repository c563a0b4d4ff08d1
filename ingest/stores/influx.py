"""An InfluxDB of the site's own: 1.8, 2.x and 3 alike, through what all of them serve.

Writes go by influxdb-client's synchronous v2 API with line protocol from our own encoder (the
batching API swallows failures); reads are InfluxQL on ``/query``, because Flux is absent from 3 and
the client has no InfluxQL. ``ping`` and ``health`` say nothing about either, so :meth:`probe` writes
a canary point and reads it back.

Where it differs from the embedded store: a value that replaces another is not kept as a version and
not reported, repeats are not told from news (``Written.stored`` counts both), tags that are new to a
measurement are no matter here, and a type conflict is refused by the server per point.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from ingest.errors import StoreFull, StoreUnavailable
from ingest.line_protocol import encode
from ingest.points import Point, Tags, Unsigned, Value, point, split_metric, to_ns
from ingest.ports import Across, Refusal, Sample, Written

if TYPE_CHECKING:
    from models.series import Series

CANARY = "chergui_canary"
_GONE = re.compile(r"(database|retention policy) not found", re.IGNORECASE)


class InfluxStore:
    """Telemetry in ``bucket`` of the server at ``url``.

    ``bucket`` is ``database`` or ``database/retention-policy`` (1.8's mapping; a bucket's name in
    2.x and 3). ``token`` is sent as InfluxDB wants it (``user:password`` on 1.8).
    """

    def __init__(
        self, url: str, bucket: str, *, org: str = "-", token: str | None = None, timeout_s: float = 10.0
    ) -> None:
        from influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS

        self.url, self.bucket = url.rstrip("/"), bucket
        self._version = "unknown"
        self._kinds: dict[str, str] = {}
        self._client = InfluxDBClient(url=self.url, token=token, org=org, timeout=int(timeout_s * 1000))
        self._write_api = self._client.write_api(write_options=SYNCHRONOUS)
        database, _, policy = bucket.partition("/")
        self._where = {"db": database, "epoch": "ns", **({"rp": policy} if policy else {})}
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)

    def write(self, batch: Sequence[Point]) -> Written:
        """See TelemetryStore; see the module for what it cannot tell."""
        values = sum(len(p.fields) for p in batch)
        if not batch:
            return Written()
        try:
            self._send(encode(batch))
        except _Refused as whole:
            return self._one_by_one(batch, str(whole))
        return Written(stored=values)

    def _one_by_one(self, batch: Sequence[Point], reason: str) -> Written:
        """A refused batch is split in halves until each refused point stands alone.

        The server keeps the good points of a refused batch or not, depending on its version; writing
        them again does no harm.
        """
        stored = 0
        refused: list[Refusal] = []
        parts = [(0, len(batch), reason)]
        while parts:
            begin, end, told = parts.pop()
            if end - begin == 1:
                names = ",".join(name for name, _ in batch[begin].fields)
                code = "type_conflict" if "type conflict" in told else "refused_by_server"
                refused.append(Refusal(begin, names, code, told))
                continue
            middle = (begin + end) // 2
            for low, high in ((begin, middle), (middle, end)):
                try:
                    self._send(encode(batch[low:high]))
                    stored += sum(len(p.fields) for p in batch[low:high])
                except _Refused as again:
                    parts.append((low, high, str(again)))
        return Written(stored=stored, refused=tuple(sorted(refused, key=lambda r: r.index)))

    def _send(self, lines: str) -> None:
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        try:
            self._write_api.write(bucket=self.bucket, record=lines, write_precision="ns")
        except ApiException as error:
            told = _message(error.body) or str(error.reason)
            if error.status in (400, 422) and not _GONE.search(told):
                raise _Refused(told) from error
            kind = StoreFull if error.status == 507 or "no space left" in told else StoreUnavailable
            raise kind(self.url, f"{error.status}: {told}") from error
        except (HTTPError, OSError) as error:
            raise StoreUnavailable(self.url, f"no answer: {error}") from error

    def probe(self, now: datetime) -> str:
        """Write a canary point, read it back; returns the server's version.

        Raises:
            StoreUnavailable: it cannot be written, or not read back, with the reason.
        """
        canary = point(CANARY, {"probe": uuid.uuid4().hex}, {"value": 1.0}, to_ns(now))
        self.write([canary])
        if not self.latest(f"{CANARY}.value", dict(canary.tags)):
            raise StoreUnavailable(self.url, f"a point written to {self.bucket!r} cannot be read back by InfluxQL")
        return self._version

    def query(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        step: timedelta,
        across: Across = "one",
    ) -> Series:
        """See TelemetryStore."""
        from ingest.stores.slots import join, slot_count

        count = slot_count(start, end, step)
        first, width = to_ns(start), step // timedelta(microseconds=1) * 1000
        slots = f"time({width}ns, {first % width}ns)"
        found = self._select("mean({field})", metric, tags, start, end, f" GROUP BY {slots}, * fill(none)")
        means = {
            key: {(int(row[0]) - first) // width: float(row[1]) for row in rows if row[1] is not None}
            for key, rows in found.items()
        }
        return join(metric, tags, start, step, count, means, across, "influx")

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        found = self._select("{field}", metric, tags, None, None, " GROUP BY * ORDER BY time DESC LIMIT 1")
        typed = self._typed(metric) if found else float
        return [Sample(key, int(rows[0][0]), typed(rows[0][1])) for key, rows in sorted(found.items())]

    def raw(self, metric: str, tags: Mapping[str, str], start: datetime, end: datetime) -> list[Sample]:
        """See TelemetryStore."""
        found = self._select("{field}", metric, tags, start, end, " GROUP BY *")
        typed = self._typed(metric) if found else float
        return [Sample(key, int(row[0]), typed(row[1])) for key, rows in sorted(found.items()) for row in rows]

    def close(self) -> None:
        """See TelemetryStore."""
        self._http.close()
        self._client.close()

    def _typed(self, metric: str) -> Callable[[Any], Value]:
        """What makes a JSON value one of the field's type: a whole float comes back as 450, not 450.0."""
        kind = self._kinds.get(metric)
        if kind is None:
            measurement, field = split_metric(metric)
            rows = self._ask(f"SHOW FIELD KEYS FROM {_name(measurement)}")
            told = {row[0]: row[1] for series in rows for row in series["values"]}
            kind = self._kinds[metric] = told.get(field, "float")
        return {"float": float, "integer": int, "unsigned": Unsigned, "boolean": bool, "string": str}[kind]

    def _select(
        self,
        what: str,
        metric: str,
        tags: Mapping[str, str],
        start: datetime | None,
        end: datetime | None,
        rest: str,
    ) -> dict[Tags, list[list[Any]]]:
        measurement, field = split_metric(metric)
        tests = [f"{_name(key)} = {_text(value)}" for key, value in sorted(tags.items())]
        if start is not None and end is not None:
            tests += [f"time >= {to_ns(start)}", f"time < {to_ns(end)}"]
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        chosen = what.format(field=_name(field))
        query = f"SELECT {chosen} FROM {_name(measurement)}{where}{rest}"  # noqa: S608  every name is quoted
        return {
            tuple(sorted((k, v) for k, v in series.get("tags", {}).items() if v)): series["values"]
            for series in self._ask(query)
        }

    def _ask(self, query: str) -> list[dict[str, Any]]:
        """The series of one InfluxQL statement."""
        try:
            answer = self._http.get("/query", params={**self._where, "q": query})
            body = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            raise StoreUnavailable(self.url, f"no answer: {error}") from error
        self._version = answer.headers.get("X-Influxdb-Version", "unknown")
        results = body.get("results", ())
        told = body.get("error") or body.get("message") or next((r["error"] for r in results if "error" in r), "")
        if told.startswith("unsupported mean iterator"):
            return []  # strings or booleans: no numeric series
        if told or answer.status_code != 200:
            raise StoreUnavailable(self.url, f"{answer.status_code}: {told or answer.text[:200]}")
        return [series for result in results for series in result.get("series", ())]


class _Refused(Exception):
    """The server read the batch and will never take it as it is."""


def _message(body: object) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        told = json.loads(text)
    except ValueError:
        return text
    return str(told.get("error") or told.get("message") or text) if isinstance(told, dict) else text


def _name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(value: Value) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
