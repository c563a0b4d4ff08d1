"""What is let in, what is turned away, and how it is told."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.app import bare_app
from api.settings import MAX_BODY
from api.solving import Solver
from api.store.keys import KeyStore
from tests.api.conftest import House

JOB = {"id": "llm-7", "pool": "hall", "gpus": 8, "work_h": 2.0, "release": "2026-11-25T06:00:00Z"}
ONE_JOB: dict[str, Any] = {
    "schema_version": "1.0",
    "name": "one",
    "site": {"name": "s"},
    "horizon": {"start": "2026-06-01T00:00:00Z", "step_minutes": 60, "slots": 2},
    "series": {"import_price_per_mwh": [100.0, 50.0]},
    "grid": {"import_limit_mw": 10.0},
    "pools": [{"name": "p", "gpu": "H100-SXM", "gpus": 8}],
    "jobs": [
        {
            "id": "a",
            "pool": "p",
            "gpus": 8,
            "work_h": 1.0,
            "levels": [{"power_mw": 2.0, "speed": 1.0}],
            "release": "2026-06-01T00:00:00Z",
        }
    ],
}


def machine_routes() -> list[tuple[str, str]]:
    """Every method and path under /api of the real application, as its OpenAPI document has them."""
    paths = bare_app().openapi()["paths"]
    return [(method.upper(), path) for path, ops in paths.items() if path.startswith("/api/") for method in ops]


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "hall", path)


@pytest.mark.parametrize(("method", "path"), machine_routes())
def test_no_machine_route_is_open_to_strangers(house: House, tmp_path: Any, method: str, path: str) -> None:
    from api.clock import ShiftedClock
    from api.store.engine import open_engine
    from api.store.migrate import upgrade

    def ask(**headers: str) -> Any:
        return house.client.request(method, filled(path), headers=headers)

    other = open_engine(tmp_path / "foreign.db")
    upgrade(other)
    foreign = KeyStore(other, ShiftedClock()).new("admin", "", "test")
    assert ask().status_code == 401
    assert ask().headers["WWW-Authenticate"] == "Bearer"
    for text in ("", "Bearer", f"Bearer {foreign}", f"Token {foreign}", f"Basic {foreign}", "Bearer é", foreign):
        answer = ask(Authorization=text.encode("utf-8"))  # type: ignore[arg-type]
        assert answer.status_code == 401, text
        assert answer.headers["content-type"] == "application/problem+json"
    if method != "GET":
        narrow = ask(Authorization=f"Bearer {house.keys['read']}")
        assert (narrow.status_code, narrow.json()["code"]) == (403, "ScopeTooNarrow")
    revoked = house.doors.keys.new("admin", "", "test")
    house.doors.keys.revoke(revoked.split("_")[1], "test")
    assert ask(Authorization=f"Bearer {revoked}").status_code == 401


def test_the_matrix_covers_what_the_issue_names() -> None:
    paths = {path for _, path in machine_routes()}
    assert paths >= {
        "/api/v1/plans/current",
        "/api/v1/plans/{plan_id}",
        "/api/v1/jobs",
        "/api/v1/caps/jobs/{job}",
        "/api/v1/caps/nodes/{node}",
        "/api/v1/caps/pools/{pool}",
        "/api/v1/setpoints/{asset}",
        "/api/v1/solve",
        "/api/v2/write",
    }


def test_pages_are_free_on_loopback_and_keyed_elsewhere(make_house: Callable[..., House]) -> None:
    house = make_house()
    assert house.client.get("/").status_code == 200
    assert house.client.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    assert house.client.get("/metrics").status_code == 200
    open_house = make_house(host="0.0.0.0")
    asked = open_house.client.get("/")
    assert asked.status_code == 401
    assert asked.headers["WWW-Authenticate"].startswith("Basic")
    assert open_house.client.get("/", auth=("anyone", open_house.keys["read"])).status_code == 200
    assert open_house.client.get("/metrics").status_code == 401
    assert open_house.client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:99", 200),
        ("[::1]:8000", 200),
        ("192.0.2.7", 200),
        ("evil.example", 400),
        ("localhost.evil.example:8000", 400),
        ("", 400),
    ],
)
def test_only_our_names_are_answered(house: House, host: str, status: int) -> None:
    answer = house.client.get("/livez", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "HostNotAllowed"


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ('{"work_h": NaN}', "/work_h", "not_finite"),
        ('{"work_h": 1e999}', "/work_h", "not_finite"),
        ('{"work_h": -Infinity}', "/work_h", "not_finite"),
        ('{"id": "a", "id": "b"}', "/id", "duplicate_key"),
        ("{", "", "not_json"),
        (b'{"id": "\xff"}', "", "not_utf8"),
        ("[" * 5000, "", "too_deep"),
        (json.dumps({**JOB, "release": 1780272000}), "/release", "value_error"),
        (json.dumps({**JOB, "release": "2026-06-01T00:00:00"}), "/release", "value_error"),
        (json.dumps({**JOB, "work_h": "2"}), "/work_h", "float_type"),
        (json.dumps({**JOB, "pool": "no"}), "/pool", "unknown_pool"),
        (json.dumps({**JOB, "gpus": 97}), "/gpus", "larger_than_pool"),
        (json.dumps({**JOB, "work_h": 1e9}), "/work_h", "out_of_range"),
        (json.dumps({**JOB, "deadline": "9999-12-31T23:59:59Z"}), "/deadline", "out_of_range"),
        (json.dumps({**JOB, "colour": "red"}), "/colour", "extra_forbidden"),
        ("[]", "", "model_type"),
    ],
)
def test_jobs_are_read_strictly_with_the_place_of_every_fault(
    house: House, body: str | bytes, pointer: str, code: str
) -> None:
    answer = house.post("/api/v1/jobs", body)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert (told["code"], told["status"]) == ("InvalidInput", 422)
    assert (pointer, code) in [(row["pointer"], row["code"]) for row in told["errors"]]
    assert answer.headers["content-type"] == "application/problem+json"
    assert house.doors.jobs.page("", 10) == []


def test_a_job_is_handed_in_listed_and_withdrawn(house: House) -> None:
    first = house.post("/api/v1/jobs", json.dumps(JOB))
    assert (first.status_code, first.json()["result"]) == (201, "created")
    assert first.headers["Location"] == "/api/v1/jobs/llm-7"
    again = house.post("/api/v1/jobs", json.dumps(JOB))
    assert (again.status_code, again.json()) == (200, {**first.json(), "result": "unchanged"})
    changed = house.post("/api/v1/jobs", json.dumps({**JOB, "priority": "high"}))
    assert (changed.status_code, changed.json()["result"]) == (200, "replaced")
    assert changed.json()["plan_request"] == first.json()["plan_request"] + 1
    (row,) = house.get("/api/v1/jobs").json()["jobs"]
    assert (row["id"], row["priority"], row["status"], row["planned"]) == ("llm-7", "high", "open", None)
    assert row["source"] == "api"
    for k in range(3):
        house.post("/api/v1/jobs", json.dumps({**JOB, "id": f"x-{k}"}))
    page = house.get("/api/v1/jobs?limit=2").json()
    assert [job["id"] for job in page["jobs"]] == ["llm-7", "x-0"]
    rest = house.get(f"/api/v1/jobs?limit=2&after={page['next']}").json()
    assert [job["id"] for job in rest["jobs"]] == ["x-1", "x-2"]
    assert house.get("/api/v1/jobs?limit=0").json()["errors"][0]["pointer"] == "/query/limit"
    headers = {"Authorization": f"Bearer {house.keys['write']}"}
    assert house.client.delete("/api/v1/jobs/llm-7", headers=headers).status_code == 204
    assert house.client.delete("/api/v1/jobs/llm-7", headers=headers).status_code == 404


def test_bodies_beyond_the_limit_are_refused_whatever_the_headers_say(house: House) -> None:
    big = b" " * (MAX_BODY + 1)

    def chunked() -> Iterator[bytes]:
        for at in range(0, len(big), 1 << 16):
            yield big[at : at + (1 << 16)]

    headers = {"Authorization": f"Bearer {house.keys['write']}"}
    for path in ("/api/v1/jobs", "/api/v1/solve", "/api/v2/write"):
        for content in (big, chunked()):
            answer = house.client.post(path, content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "BodyTooLarge")
    bomb = gzip.compress(b"\n" * (MAX_BODY + 1))
    zipped = {**headers, "Content-Encoding": "gzip"}
    assert house.client.post("/api/v2/write", content=bomb, headers=zipped).status_code == 413
    assert house.client.post("/api/v2/write", content=b"no gzip", headers=zipped).status_code == 400
    assert house.client.post("/api/v2/write", content=bomb[:-9], headers=zipped).json()["code"] == "BrokenEncoding"
    odd = {**headers, "Content-Encoding": "br"}
    assert house.client.post("/api/v2/write", content=b"x", headers=odd).status_code == 415
    at_limit = b'{"id": "' + b"x" * (MAX_BODY - 10) + b'"}'
    assert house.client.post("/api/v1/jobs", content=at_limit, headers=headers).status_code == 422


def test_unknown_paths_and_methods_are_problems_too(house: House) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "NotFound"),
        ("GET", "/docs", 404, "NotFound"),
        ("GET", "/redoc", 404, "NotFound"),
        ("PATCH", "/api/v1/jobs", 405, "MethodNotAllowed"),
        ("POST", "/livez", 405, "MethodNotAllowed"),
    ):
        answer = house.client.request(method, path)
        told = answer.json()
        assert (answer.status_code, told["code"], told["status"]) == (status, code, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert re.fullmatch(r"[0-9a-f]{16}", told["trace_id"])
    assert "GET" in house.client.post("/livez").headers["Allow"]


def test_an_unexpected_error_tells_nothing_but_a_trace_id(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("api.routes.jobs.read_job", broken)
    answer = house.post("/api/v1/jobs", json.dumps(JOB))
    assert (answer.status_code, answer.json()["code"]) == (500, "InternalError")
    assert "secret" not in answer.text


def test_line_protocol_is_kept_or_told_line_by_line(house: House) -> None:
    good = "gpu,site=local,gpu=a power_w=512.5 1795586700000000000\n"
    assert house.post("/api/v2/write?bucket=b&org=o", good).status_code == 204
    assert house.post("/api/v2/write", good).status_code == 204, "the same again is no conflict"
    token = {"Authorization": f"Token {house.keys['write']}", "Content-Encoding": "gzip"}
    packed = gzip.compress(b"gpu,site=local,gpu=b power_w=1 1795586700")
    assert house.client.post("/api/v2/write?precision=s", content=packed, headers=token).status_code == 204
    partly = house.post("/api/v2/write", good.replace("gpu=a", "gpu=c") + "broken line\n")
    assert (partly.status_code, partly.json()["code"]) == (422, "PartlyRefused")
    assert (partly.json()["accepted"], len(partly.json()["rejected"])) == (1, 1)
    assert partly.json()["rejected"][0]["pointer"] == "/line/2"
    for body in ("broken line", b"\xff\xfe"):
        nothing = house.post("/api/v2/write", body)
        assert (nothing.status_code, nothing.json()["code"]) == (400, "UnreadableLines")
    assert house.post("/api/v2/write?precision=h", good).status_code == 422
    assert house.post("/api/v2/write", "").status_code == 204
    assert house.post("/api/v2/write", good, scope="read").status_code == 403


def test_a_problem_is_solved_in_a_child_and_refused_documents_wake_no_solver(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved = house.post("/api/v1/solve", json.dumps(ONE_JOB))
    assert solved.status_code == 200, solved.text
    assert (solved.json()["status"], solved.json()["objective"]) == ("optimal", pytest.approx(100.0))
    impossible = {**ONE_JOB, "grid": {"import_limit_mw": 1.0}}
    told = house.post("/api/v1/solve", json.dumps(impossible))
    assert (told.status_code, told.json()["status"]) == (200, "infeasible")
    assert told.json()["conflicts"]

    async def never(*_: Any) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", never)
    for change, pointer in (
        ({"horizon": {**ONE_JOB["horizon"], "slots": 3}}, "/series/import_price_per_mwh"),
        ({"jobs": [{**ONE_JOB["jobs"][0], "pool": "q"}]}, "/jobs/0/pool"),
        ({"extra": 1}, "/extra"),
    ):
        answer = house.post("/api/v1/solve", json.dumps({**ONE_JOB, **change}))
        assert answer.status_code == 422
        assert pointer in [row["pointer"] for row in answer.json()["errors"]]
    epoch = json.dumps(ONE_JOB).replace('"2026-06-01T00:00:00Z"', "1780272000")
    assert house.post("/api/v1/solve", epoch).status_code == 422


def test_solves_wait_in_a_short_queue_and_are_killed_when_they_overstay(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.errors import Refused
    from models.errors import NoPlanInTime

    started: list[Any] = []
    real = asyncio.create_subprocess_exec

    async def sleeper(*_: Any, **kept: Any) -> Any:
        started.append(await real("sleep", "60", **kept))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeper)

    async def stays() -> bool:
        return False

    async def scene() -> list[Any]:
        solver = Solver(grace_s=0.2)
        asks = [asyncio.create_task(solver.solve(b"{}", 0.3, stays)) for _ in range(6)]
        return await asyncio.gather(*asks, return_exceptions=True)

    ended = asyncio.run(scene())
    assert [type(e).__name__ for e in ended].count("NoPlanInTime") == 4
    refused = [e for e in ended if isinstance(e, Refused)]
    assert [(e.status, e.code) for e in refused] == [(503, "SolverBusy")] * 2
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert all(isinstance(e, (NoPlanInTime, Refused)) for e in ended)
    assert [child.returncode for child in started] == [-9] * 4


def test_health_tells_alive_ready_and_fresh_apart(house: House, edition: dict[str, Any]) -> None:
    assert house.client.get("/livez").json() == {"status": "ok"}
    assert house.client.get("/readyz").json()["checks"]["state"] == {"ok": True}
    stale = house.client.get("/healthz")
    assert (stale.status_code, stale.json()["status"]) == (503, "degraded")
    house.doors.plans.publish(edition, {})
    house.doors.planner.give()
    house.doors.collector.give()
    assert house.client.get("/healthz").status_code == 200
    metrics = house.client.get("/metrics").text
    assert 'chergui_plan_rung{rung="MILP",site="local"} 1.0' in metrics
    assert "chergui_plan_age_seconds" in metrics
    version = house.client.get("/version").json()
    assert re.fullmatch(r"\d{4}\.\d+", version["tzdata"])


def test_head_is_answered_as_get(house: House) -> None:
    for path in ("/", "/livez", "/version"):
        head, get = house.client.head(path), house.client.get(path)
        assert (head.status_code, head.headers["content-type"]) == (get.status_code, get.headers["content-type"])
    assert house.client.head("/api/v1/jobs").status_code == 401


def test_answers_carry_safe_headers(house: House) -> None:
    for path in ("/", "/livez", "/api/v1/jobs", "/nothing"):
        headers = house.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Server" not in headers
