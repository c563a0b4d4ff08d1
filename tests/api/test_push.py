"""Telemetry that others send: JSON batches, and InfluxDB's paths as its clients and Telegraf use them.

The peer here is the real influxdb-client over a real socket. Telegraf itself could not be installed; what it expects of
an answer stands in its source (plugins/outputs/influxdb_v2/http.go) and is held below.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from ingest.errors import StoreFull
from ingest.line_protocol import encode, parse
from ingest.sources.push.json_batch import read_batch
from ingest.stores.embedded import EmbeddedStore

AT = "2026-11-25T06:05:00Z"
NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)
LINE = "gpu,site=local,gpu=a power_w=512.5 1795586700000000000\n"


def latest(house: Any, metric: str) -> list[tuple[dict[str, str], Any]]:
    return [(dict(s.tags), s.value) for s in house.doors.intake._store.latest(metric, {})]


def send(house: Any, document: Any, **headers: str) -> Any:
    body = document if isinstance(document, str) else json.dumps(document)
    return house.post("/api/v1/telemetry", body, **headers)


def test_points_and_series_are_kept_in_our_units(house: Any) -> None:
    start = "2026-11-25T05:00:00+00:00"
    batch = {
        "points": [
            {
                "measurement": "gpu",
                "tags": {"site": "local", "gpu": "a", "rack": ""},
                "fields": {"power_w": 431500, "temperature_c": 131, "throttle_power_cap": True, "job": "llm-7"},
                "units": {"power_w": "mW", "temperature_c": "degF"},
                "time": AT,
            },
            {"measurement": "gpu", "tags": {"site": "local", "gpu": "b"}, "fields": {"power_w": 1}},
        ],
        "series": [
            {
                "metric": "site.pv_mw",
                "tags": {"site": "local"},
                "unit": "kW",
                "start": start,
                "step_s": 900,
                "values": [1, None, 3.5],
            }
        ],
    }
    for _ in range(2):  # a repeat changes nothing
        answer = send(house, batch)
        assert (answer.status_code, answer.text) == (204, "")
    assert latest(house, "gpu.power_w")[0] == ({"site": "local", "gpu": "a"}, 431.5)
    assert latest(house, "gpu.temperature_c")[0][1] == pytest.approx(55.0)
    assert latest(house, "gpu.throttle_power_cap")[0][1] == 1
    assert latest(house, "gpu.job")[0][1] == "llm-7"
    raw = house.doors.intake._store.raw("site.pv_mw", {}, NOW - timedelta(hours=2), NOW)
    begun = int((NOW - timedelta(minutes=65)).timestamp()) * 10**9
    assert [(s.time_ns - begun, s.value) for s in raw] == [(0, 0.001), (1800 * 10**9, 0.0035)]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ("", "", "not_json"),
        ('{"points": [', "", "not_json"),
        ("[]", "", "not_object"),
        ("{}", "", "empty"),
        ('{"points": {}}', "/points", "not_list"),
        ('{"point": []}', "/point", "unknown_key"),
        ('{"points": [{"measurement": "gpu", "fields": {"power_w": NaN}}]}', "/points/0/fields/power_w", "not_finite"),
        ('{"points": [{"measurement": "gpu", "measurement": "gpu"}]}', "/points/0/measurement", "duplicate_key"),
        ('{"points": [{"measurement": "gpu"}]}', "/points/0/fields", "missing"),
    ],
)
def test_what_is_no_batch_is_refused_whole(house: Any, body: str, pointer: str, code: str) -> None:
    answer = send(house, body)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "UnreadableBatch")
    assert (told["errors"][0]["pointer"], told["errors"][0]["code"]) == (pointer, code)
    assert latest(house, "gpu.power_w") == []


def test_what_is_wrong_is_told_by_its_place_and_the_rest_is_kept(house: Any) -> None:
    good = {"measurement": "gpu", "tags": {"gpu": "a"}, "fields": {"power_w": 1.0}, "time": AT}
    series = {"metric": "site.pv_mw", "start": AT, "step_s": 60, "values": [1, "x", True, None, 4]}
    text = {**series, "metric": "a.b", "values": ["x"]}
    batch = {
        "points": [
            good,
            {**good, "time": 1795586700},
            {**good, "time": "2026-11-25T06:05:00"},
            {**good, "fields": {"power_w": "much", "limit_w": 700}, "tags": {"gpu": "b"}},
            {**good, "tags": {"gpu": 7}},
            {**good, "fields": {"power_w": 1}, "units": {"power_w": "degC"}},
            {**good, "fields": {"power_w": 1}, "units": {"powr": "W"}},
            {**good, "measurement": "g\n"},
            {**good, "feilds": {}},
            7,
            {**good, "measurement": "other", "fields": {"text": "\ud800", "ok": 1}},
            {**good, "measurement": "other", "fields": {"x": 1}, "units": {"x": "kW"}},
        ],
        "series": [series, {**series, "step_s": 0}, {**series, "values": 3}, {**series, "metric": "pv"}, text],
    }
    answer = send(house, batch)
    told = answer.json()
    assert (answer.status_code, told["code"], told["accepted"]) == (422, "PartlyRefused", 5)
    assert {row["pointer"]: row["code"] for row in told["rejected"]} == {
        "/points/1/time": "time",
        "/points/2/time": "time",
        "/points/3/fields/power_w": "value",
        "/points/4/tags/gpu": "not_text",
        "/points/5/fields/power_w": "unit",
        "/points/6/units/powr": "unknown_field",
        "/points/7/fields/power_w": "name",
        "/points/8/feilds": "unknown_key",
        "/points/9": "not_object",
        "/points/10/fields/text": "not_text",
        "/points/11/fields/x": "unit",
        "/series/0/values/1": "value",
        "/series/0/values/2": "value",
        "/series/1/step_s": "no_step",
        "/series/2/values": "not_list",
        "/series/3/metric": "no_metric",
        "/series/4/values/0": "not_number",
    }
    assert sorted(latest(house, "gpu.power_w")) == [({"gpu": "a"}, 1.0)]
    assert latest(house, "gpu.limit_w") == [({"gpu": "b"}, 700.0)]
    assert latest(house, "other.ok") == [({"gpu": "a"}, 1.0)]


def test_a_type_that_the_store_has_otherwise_is_told_by_its_place(house: Any) -> None:
    house.post("/api/v2/write", "other x=1 1795586700000000000")
    told = send(house, {"points": [{"measurement": "other", "fields": {"x": "text", "y": 1}, "time": AT}]})
    assert told.status_code == 422
    assert told.json()["rejected"][0]["pointer"] == "/points/0/x"


def test_limits_keys_and_encodings_hold_for_json_too(house: Any) -> None:
    many = {"series": [{"metric": "a.b", "start": AT, "step_s": 1, "values": [0.0] * 50_001}]}
    assert send(house, many).status_code == 413
    assert house.post("/api/v1/telemetry", "{}", scope="read").status_code == 403
    assert house.client.post("/api/v1/telemetry", content="{}").status_code == 401
    headers = {"Authorization": f"Bearer {house.keys['write']}", "Content-Encoding": "gzip"}
    packed = gzip.compress(json.dumps({"points": [{"measurement": "m", "fields": {"x": 1}}]}).encode())
    assert house.client.post("/api/v1/telemetry", content=packed, headers=headers).status_code == 204
    assert latest(house, "m.x") == [({}, 1.0)]


TAG = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(lambda t: t[-1] != "\\")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"))
VALUE = st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | TEXT
ROW = st.tuples(st.sampled_from(["m", "a b", "x,y"]), st.dictionaries(st.sampled_from(["t", "u v"]), TAG), VALUE)


@given(st.lists(ROW, min_size=1, max_size=5))
def test_what_json_says_line_protocol_says_too(rows: list[Any]) -> None:
    batch = {"points": [{"measurement": m, "tags": t, "fields": {"f": v}, "time": AT} for m, t, v in rows]}
    points, rejected, _ = read_batch(batch, NOW)
    assert rejected == []
    assert parse(encode(points)) == (points, [])


def test_ping_and_health_answer_as_influxdbs_do(house: Any) -> None:
    for method in ("GET", "HEAD"):
        ping = house.client.request(method, "/ping")
        assert (ping.status_code, ping.text) == (204, "")
        assert ping.headers["X-Influxdb-Version"].startswith("chergui ")
    health = house.client.get("/health").json()
    assert (health["name"], health["status"]) == ("chergui", "pass")
    assert {check["name"] for check in health["checks"]} == {"state", "disk"}


@pytest.mark.parametrize(
    ("body", "more", "status", "retried"),
    [  # retried: what Telegraf does with it. 413: in halves; 503: after Retry-After; 400, 401, 415, 422: not as it is
        (LINE, {}, 204, None),
        ("broken line", {}, 400, False),
        (LINE + "broken line", {}, 422, False),
        ("x" * (9 << 20), {}, 413, True),
        (LINE, {"Authorization": "Token nonsense"}, 401, False),
        (LINE, {"Content-Encoding": "zstd"}, 415, False),
    ],
)
def test_errors_have_the_words_that_telegraf_logs(house: Any, body: str, more: Any, status: int, retried: Any) -> None:
    headers = {"Authorization": f"Token {house.keys['write']}", "Content-Type": "text/plain; charset=utf-8", **more}
    answer = house.client.post("/api/v2/write?bucket=b&org=o", content=body, headers=headers)
    assert answer.status_code == status
    if status == 204:
        assert answer.content == b""
        return
    told = answer.json()
    assert told["message"]
    assert isinstance(told["code"], str)
    if status in (400, 422):
        assert told["line"] == body.count("\n") + 1
        assert "line" in told["message"]
    assert (status in (413, 429, 502, 503, 504)) is retried


def test_a_full_disk_asks_for_patience_and_keeps_nothing(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StoreFull("telemetry.db", "no room")

    monkeypatch.setattr(EmbeddedStore, "write", full)
    for answer in (
        house.post("/api/v2/write", LINE),
        send(house, {"points": [{"measurement": "m", "fields": {"x": 1}}]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "StoreFull")
        assert int(answer.headers["Retry-After"]) > 0
    assert "message" in house.post("/api/v2/write", LINE).json()
    monkeypatch.undo()
    assert house.post("/api/v2/write", LINE).status_code == 204, "the same again, when there is room"


@pytest.fixture
def address(house: Any) -> Iterator[str]:
    """The service on a real socket."""
    config = uvicorn.Config(create_app(house.doors), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("enable_gzip", [False, True])
def test_the_real_influxdb_client_writes_here(house: Any, address: str, enable_gzip: bool) -> None:
    from influxdb_client import InfluxDBClient, Point, WritePrecision
    from influxdb_client.client.write_api import SYNCHRONOUS
    from influxdb_client.rest import ApiException

    with InfluxDBClient(address, house.keys["write"], org="o", enable_gzip=enable_gzip) as client:
        assert client.ping()
        assert client.version().startswith("chergui ")
        assert client.health().status == "pass"
        writer = client.write_api(SYNCHRONOUS)
        point = Point("gpu").tag("site", "local").tag("gpu", "a b").field("power_w", 431.5).time(NOW)
        writer.write("bucket", record=point)
        writer.write("bucket", record="gpu,gpu=c power_w=1 1795586700", write_precision=WritePrecision.S)
        with pytest.raises(ApiException) as caught:
            writer.write("bucket", record="gpu,gpu=d power_w=x")
        assert caught.value.status == 400
        assert "line 1" in caught.value.message
    assert sorted(value for _, value in latest(house, "gpu.power_w")) == [1.0, 431.5]
