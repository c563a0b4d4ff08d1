"""An InfluxDB of the site's own: 1.8, 2.x and 3 alike, through what all of them serve.

Writes go by influxdb-client's synchronous v2 API with line protocol from our own encoder (the
batching API swallows failures); reads are InfluxQL on ``/query``, because Flux is absent from 3 and
the client has no InfluxQL. ``ping`` and ``health`` say nothing about either, so :meth:`probe` writes
a canary point and reads it back.

Where it differs from the embedded store: a value that replaces another is not kept as a version and
not reported, repeats are not told from news (``Written.stored`` counts both), tags that are new to a
measurement are no matter here, and a type conflict is refused by the server per point.

The server keeps one value an instant, so that what is written with ``believed_at`` goes into two measurements: its
own, where dashboards find what was written last, and ``NAME_beliefs`` with a tag ``believed_at``, where ``as_of`` finds
all of it. Of measurements that were never written so, ``as_of`` gives the values of instants before it.
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
from models.horizon import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from models.series import Series

CANARY = "chergui_canary"
BELIEFS = "_beliefs"
_BELIEVED = "believed_at"
_GONE = re.compile(r"(database|retention policy) not found", re.IGNORECASE)


class InfluxStore:
    """Telemetry in ``bucket`` of the server at ``url``.

    ``bucket`` is ``database`` or ``database/retention-policy`` (1.8's mapping; a bucket's name in
    2.x and 3). ``token`` is sent as InfluxDB wants it (``user:password`` on 1.8).
    """

    def __init__(
        self, url: str, bucket: str, *, org: str = "-", token: str | None = None, timeout_s: float = 10.0
    ) -> None:
        self.url, self.bucket = url.rstrip("/"), bucket
        self._version = "unknown"
        self._kinds: dict[str, str] = {}
        self._login = {"token": token, "org": org, "timeout": int(timeout_s * 1000)}
        self._client: Any = None
        self._write_api: Any = None
        database, _, policy = bucket.partition("/")
        self._where = {"db": database, "epoch": "ns", **({"rp": policy} if policy else {})}
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)

    def write(self, batch: Sequence[Point], believed_at: datetime | None = None) -> Written:
        """See TelemetryStore; see the module for what it cannot tell."""
        values = sum(len(p.fields) for p in batch)
        if not batch:
            return Written()
        if believed_at is not None:  # the versions first: what is current has always been believed
            self._send(encode(_versions(batch, believed_at)))
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
            self._writer().write(bucket=self.bucket, record=lines, write_precision="ns")
        except ApiException as error:
            told = _message(error.body) or str(error.reason)
            if error.status in (400, 422) and not _GONE.search(told):
                raise _Refused(told) from error
            kind = StoreFull if error.status == 507 or "no space left" in told else StoreUnavailable
            raise kind(self.url, f"{error.status}: {told}") from error
        except (HTTPError, OSError) as error:
            raise StoreUnavailable(self.url, f"no answer: {error}") from error

    def _writer(self) -> Any:
        """The client's write API, made when it is first needed: its library is heavy."""
        if self._write_api is None:
            from influxdb_client import InfluxDBClient
            from influxdb_client.client.write_api import SYNCHRONOUS

            self._client = InfluxDBClient(url=self.url, **self._login)
            self._write_api = self._client.write_api(write_options=SYNCHRONOUS)
        return self._write_api

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
        as_of: datetime | None = None,
    ) -> Series:
        """See TelemetryStore."""
        from ingest.stores.slots import join, slot_count

        count = slot_count(start, end, step)
        first, width = to_ns(start), step // timedelta(microseconds=1) * 1000
        if as_of is not None:
            means = self._means_then(metric, tags, start, end, width, as_of)
            return join(metric, tags, start, step, count, means, across, "influx", as_of)
        slots = f"time({width}ns, {first % width}ns)"
        found = self._select("mean({field})", metric, tags, start, end, f" GROUP BY {slots}, * fill(none)")
        means = {
            key: {(int(row[0]) - first) // width: float(row[1]) for row in rows if row[1] is not None}
            for key, rows in found.items()
        }
        return join(metric, tags, start, step, count, means, across, "influx")

    def _means_then(
        self, metric: str, tags: Mapping[str, str], start: datetime, end: datetime, width: int, as_of: datetime
    ) -> dict[Tags, dict[int, float]]:
        sums: dict[Tags, dict[int, list[float]]] = {}
        for sample in self.raw(metric, tags, start, end, as_of):
            if not isinstance(sample.value, (str, bool)):
                slots = sums.setdefault(sample.tags, {})
                slots.setdefault((sample.time_ns - to_ns(start)) // width, []).append(sample.value)
        return {key: {slot: sum(v) / len(v) for slot, v in slots.items()} for key, slots in sums.items()}

    def latest(self, metric: str, tags: Mapping[str, str]) -> list[Sample]:
        """See TelemetryStore."""
        found = self._select("{field}", metric, tags, None, None, " GROUP BY * ORDER BY time DESC LIMIT 1")
        typed = self._typed(metric) if found else float
        return [Sample(key, int(rows[0][0]), typed(rows[0][1])) for key, rows in sorted(found.items())]

    def raw(
        self,
        metric: str,
        tags: Mapping[str, str],
        start: datetime,
        end: datetime,
        as_of: datetime | None = None,
    ) -> list[Sample]:
        """See TelemetryStore."""
        if as_of is not None:
            measurement, field = split_metric(metric)
            versions = self._select("{field}", f"{measurement}{BELIEFS}.{field}", tags, start, end, " GROUP BY *")
            if versions:
                return self._believed_then(metric, versions, to_ns(as_of))
            end = min(end, as_of)
            if start >= end:
                return []
        found = self._select("{field}", metric, tags, start, end, " GROUP BY *")
        typed = self._typed(metric) if found else float
        return [Sample(key, int(row[0]), typed(row[1])) for key, rows in sorted(found.items()) for row in rows]

    def _believed_then(self, metric: str, versions: dict[Tags, list[list[Any]]], as_of_ns: int) -> list[Sample]:
        """Of each series and instant the value of the last version until then."""
        best: dict[tuple[Tags, int], tuple[int, Any]] = {}
        for key, rows in versions.items():
            believed = to_ns(parse_rfc3339(dict(key)[_BELIEVED]))
            if believed > as_of_ns:
                continue
            tags = tuple(pair for pair in key if pair[0] != _BELIEVED)
            for time_ns, value in rows:
                held = best.get((tags, int(time_ns)))
                if held is None or held[0] <= believed:
                    best[tags, int(time_ns)] = (believed, value)
        typed = self._typed(metric)
        return [Sample(tags, time_ns, typed(best[tags, time_ns][1])) for tags, time_ns in sorted(best)]

    def metrics(self) -> list[str]:
        """See TelemetryStore; without the canary and the versions."""
        found = []
        for series in self._ask("SHOW FIELD KEYS"):
            name = series["name"]
            if name != CANARY and not name.endswith(BELIEFS):
                found += [f"{name}.{row[0]}" for row in series["values"]]
        return sorted(found)

    def create(self) -> None:
        """Make the database of a 1.x server; one that is there stays as it is.

        Raises:
            StoreUnavailable: it cannot be made; a bucket of 2.x and 3 is made with the server's own tools.
        """
        self._ask(f"CREATE DATABASE {_name(self._where['db'])}", method="POST")

    def close(self) -> None:
        """See TelemetryStore."""
        self._http.close()
        if self._client is not None:
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
        answer = self._ask(query)
        if any(series.get("columns", ["time"])[0] != "time" for series in answer):
            told = "it takes line protocol, but its /query knows no InfluxQL; read it through the Prometheus source"
            raise StoreUnavailable(self.url, told)
        return {
            tuple(sorted((k, v) for k, v in series.get("tags", {}).items() if v)): series["values"] for series in answer
        }

    def _ask(self, query: str, method: str = "GET") -> list[dict[str, Any]]:
        """The series of one InfluxQL statement."""
        try:
            answer = self._http.request(method, "/query", params={**self._where, "q": query})
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


def _versions(batch: Sequence[Point], believed_at: datetime) -> list[Point]:
    told = (_BELIEVED, rfc3339(believed_at))
    return [p._replace(measurement=f"{p.measurement}{BELIEFS}", tags=tuple(sorted((*p.tags, told)))) for p in batch]


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
