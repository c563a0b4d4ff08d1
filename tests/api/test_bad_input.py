"""Bad input by its list, through the doors that real senders use: what is kept, what is refused, what is flagged."""

from __future__ import annotations

import gzip
import threading
from datetime import UTC, datetime, timedelta

import pytest
from odd_server import Said, odd_server

from api.settings import MAX_BODY
from api.sources import sources_of
from ingest.clock import SystemClock
from ingest.collector import Collector
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore

NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)
T0 = int(NOW.timestamp()) - 60
GPU = "gpu,site=local,node=n1,gpu=a"
WIDE = (NOW - timedelta(days=30), NOW + timedelta(days=30))


def push(house, *lines):
    return house.post("/api/v2/write?precision=s", "\n".join(lines))


def kept(house, metric):
    return [sample.value for sample in house.doors.telemetry.raw(metric, {}, *WIDE)]


def flags(house):
    told = house.get("/api/v1/quarantine?since=2026-11-01T00:00:00Z&until=2026-12-25T00:00:00Z").json()["flagged"]
    return {(one["metric"], tuple(one["flags"])) for one in told}


def test_a_torn_line_is_named_and_the_whole_ones_are_kept(house):
    answer = push(
        house, f"{GPU} power_w=431 {T0}", f"{GPU} power_w=4", f"{GPU} power_w=", f"{GPU} power_w=433 {T0 + 2}"
    )
    assert answer.status_code == 422
    told = answer.json()
    assert [row["pointer"] for row in told["rejected"]] == ["/line/3"]
    assert told["accepted"] == 3  # a line without a stamp is whole: it came now
    assert sorted(kept(house, "gpu.power_w")) == [4.0, 431.0, 433.0]


def test_a_body_of_torn_lines_only_is_refused_and_keeps_nothing(house):
    assert push(house, "gpu,site=lo", 'gpu text="no end').status_code == 400
    assert house.doors.telemetry.metrics() == []


@pytest.mark.parametrize(
    ("line", "metric"),
    [
        (f"{GPU} power_w=0.431 {T0 + 9}", "gpu.power_w"),  # kW
        (f"{GPU} power_w=431000 {T0 + 9}", "gpu.power_w"),  # mW, as the driver says it
        (f"chiller,site=local,asset=c supply_c=64.8 {T0 + 9}", "chiller.supply_c"),  # degF
        (f"site,site=local import_mw=95000 {T0 + 9}", "site.import_mw"),  # W
    ],
)
def test_a_wrong_unit_is_kept_as_it_came_and_may_not_be_believed(house, line, metric):
    for k, at in enumerate((T0, T0 + 3)):
        push(house, f"{GPU} power_w={431 + k} {at}", f"chiller,site=local,asset=c supply_c={18.2 + k / 10} {at}")
        push(house, f"site,site=local import_mw={0.095 + k / 1000} {at}")
    assert flags(house) == set()
    assert push(house, line).status_code == 204
    assert float(line.split("=")[-1].split()[0]) in kept(house, metric)
    [(flagged, words)] = flags(house)
    assert flagged == metric
    assert {"unit_suspect", "range"} & set(words)


def test_a_clock_in_the_future_and_one_that_goes_backwards_are_flagged_and_kept(house):
    assert push(house, f"{GPU} power_w=431 {T0}").status_code == 204
    assert push(house, f"{GPU} power_w=432 {T0 + 7200}").status_code == 204
    assert push(house, f"{GPU} power_w=433 {T0 - 600}").status_code == 204
    assert push(house, f"{GPU} power_w=434 {T0 - 7 * 86_400}").status_code == 204
    assert sorted(kept(house, "gpu.power_w")) == [431.0, 432.0, 433.0, 434.0]
    assert {words for _, words in flags(house)} == {("future",), ("time_travel",), ("late",)}


def test_a_duplicate_changes_nothing_and_of_a_conflict_both_are_kept(house):
    for _ in range(3):
        assert push(house, f"{GPU} power_w=431 {T0}").status_code == 204
    assert (kept(house, "gpu.power_w"), flags(house)) == ([431.0], set())
    assert push(house, f"{GPU} power_w=440 {T0}").status_code == 204
    assert kept(house, "gpu.power_w") == [440.0]
    [told] = house.get("/api/v1/quarantine").json()["flagged"]
    assert (told["flags"], told["before"], told["state"]) == (["dup_conflict"], "431.0", "OK")
    [before] = house.doors.telemetry.replaced("gpu.power_w", {"gpu": "a"}, T0 * 10**9)
    assert before.value == 431.0


@pytest.mark.parametrize("path", ["/api/v2/write", "/api/v1/telemetry"])
def test_an_oversize_body_is_refused_plain_packed_or_in_too_many_points(house, path):
    assert house.post(path, b"x" * (MAX_BODY + 1)).status_code == 413
    bomb = gzip.compress(b" " * (MAX_BODY + 1))
    assert len(bomb) < 20_000
    assert house.post(path, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    many = "\n".join(f"{GPU} power_w=431 {T0 + k}" for k in range(50_001))
    assert house.post("/api/v2/write?precision=s", many).status_code == 413
    assert house.doors.telemetry.metrics() == []


PAGE = 'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-00",Hostname="gpu01"} 431.5\n'
HALF_JSON = '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2'


def site_of(folder, urls, prometheus):
    scrapes = "".join(
        f'\n[[telemetry.scrape]]\nname = "{name}"\nurls = ["{url}"]\nprofile = "dcgm"\nperiod_s = 1\ntimeout_s = 0.5\n'
        for name, url in urls.items()
    )
    asked = (
        f'\n[[telemetry.prometheus]]\nname = "server"\nurl = "{prometheus}"\nperiod_s = 1\n'
        '[[telemetry.prometheus.rows]]\nquery = "x"\nmetric = "site.it_mw"\nunit = "MW"\n'
    )
    path = folder / "site.toml"
    nothing = "\n[telemetry.nvml]\nenabled = false\n"
    path.write_text(sample_path("local").read_text() + nothing + scrapes + asked)
    return read_site(path)


def test_a_source_that_hangs_or_answers_500_html_or_half_a_json_is_told_and_harms_no_other(tmp_path):
    answers = {
        "/good": Said(PAGE),
        "/hangs": Said(PAGE, hang_s=30),
        "/500": Said("oh no", status=500),
        "/html": Said("<html><body>log in</body></html>", kind="text/html"),
        "/torn": Said(PAGE, torn=True),
        "/api/v1/query_range": Said(HALF_JSON, kind="application/json"),
    }
    with odd_server(**answers) as server:
        names = ("good", "hangs", "500", "html", "torn")
        site = site_of(tmp_path, {name: f"{server.url}/{name}" for name in names}, server.url)
        store = MemoryStore()
        collector = Collector(sources_of(site, tmp_path), store, SystemClock())
        stop = threading.Event()
        runner = threading.Thread(target=collector.run, args=(stop,))
        runner.start()
        try:
            deadline = threading.Event()
            for _ in range(100):
                told = {one.name: one for one in collector.status()}
                if all(told[name].failing for name in (*names[1:], "server")) and told["good"].points > 1:
                    break
                deadline.wait(0.1)
        finally:
            stop.set()
            runner.join(20)
            collector.close()
    assert not runner.is_alive()
    assert told["good"].failing == 0
    assert {sample.value for sample in store.latest("gpu.power_w", {})} == {431.5}
    why = {name: told[name].last_error or "" for name in (*names[1:], "server")}
    assert all(why.values()), why
    assert "500" in why["500"]
    assert "JSON" in why["server"]
