"""Slurm, service, guard and agents on one machine, every plug pulled in turn: ``python -m tests.system.every_plug``.

Real processes throughout: Slurm's daemons where root can start them (else a job of the API takes the place of Slurm's,
and the log says so), devices are the NVML stand-in (needs a C compiler), the grid meter is a page of this script. Each
line says what was done, what came of it and after how many seconds; the first thing that does not come ends the script
with status 1. Then the figures: each bench and test that judges one of them runs in a process of its own and its word
stands in the log; one that does not hold makes the status 1 in the end. ``--plugs`` leaves the figures out (three quiet
minutes), ``--figures`` the plugs (some twenty).
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models.horizon import rfc3339
from tests.support.faulty_line import OPEN, SILENT
from tests.support.running_service import Service, chergui, running, small_site
from tests.system.loop_figures import figures
from tests.system.plugged_hall import GRANT_W, JOB, LEASE_S, Hall, Log, new_key
from tests.system.plugged_queue import Queue
from tests.system.plugged_slurm import PluggedSlurm, plugged


def job() -> dict[str, Any]:
    """A job that runs now on both nodes, capped no lower than what the script calls a grant."""
    now = datetime.now(UTC)
    told = {"id": JOB, "pool": "hall", "gpus": 16, "work_h": 12.0, "release": rfc3339(now - timedelta(hours=1))}
    return told | {"state": "running", "preemptible": False, "cap_floor_w": GRANT_W, "priority": "high"}


def main() -> int:
    """Pull every plug, then ask for the figures; 0: all of it was proven."""
    parser = argparse.ArgumentParser(description=__doc__)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--plugs", action="store_true", help="no figures")
    only.add_argument("--figures", action="store_true", help="no plugs")
    told = parser.parse_args()
    if not told.figures:
        with tempfile.TemporaryDirectory(prefix="chergui-plugs-") as name, plugged(Path(name)) as slurm:
            pull_all(Path(name), slurm)
    return 0 if told.plugs or figures() else 1


def pull_all(folder: Path, slurm: PluggedSlurm | None) -> None:
    """Start everything, pull every plug."""
    if slurm is None:
        print("NOT ROOT OR NO SLURM HERE: lines about Slurm are NOT proven; a job of the API takes its job's place")
    site = small_site(folder) if slurm is None else slurm.site(folder, GRANT_W)
    with running(folder / "service", site=str(site)) as service:
        hall = Hall(folder, service, slurm)
        try:
            log = Log(hall)
            play(hall, log, service)
            print(f"{log.count} lines proven")
        finally:
            hall.end()


def play(hall: Hall, log: Log, service: Service) -> None:
    """The whole of it."""
    one, two = hall.nodes
    log.pull("agents start with no plan, no grant and a guard that was never heard")
    for node in hall.nodes:
        node.start()
    log.proves(hall.fallen, "the least that the devices accept, then the default, never more")
    log.proves(lambda: (one.folder / "run" / "no-admissions").exists(), "no starts are admitted")
    log.pull("the guard starts, a job is handed in, the hall is granted")
    hall.start_guard()
    queue = None if hall.slurm is None else Queue(hall.slurm, log)
    if queue is None:
        service.ask("POST", "/api/v1/jobs", job())
    else:
        queue.hand_in(hall)
    service.ask("PUT", "/api/v1/modes/hall", {"mode": "auto", "lease_s": LEASE_S})
    log.proves(hall.granted, "the planner's caps on 16 GPUs of two nodes, by the placement that the agents report")
    log.proves(lambda: not (one.folder / "run" / "no-admissions").exists(), "starts are admitted")
    agents = {row["node"]: row for row in service.get("/api/v1/agents").json()["agents"]}
    log.proves(lambda: set(agents) == {"hall-n1", "hall-n2"}, "both agents are on the service's list")
    if queue is not None:
        queue.wait_for_windows()
    log.proves(lambda: kept_caps(service), "the report holds caps planned and enforced side by side, and all were kept")

    log.pull("kill -9 of an agent; systemd's stop action follows")
    one.running[-1].kill()
    one.running[-1].wait()
    one.once("apply-default")
    log.proves(lambda: hall.fallen(0) and hall.granted(1), "its node has the default, the other its plan")
    one.start()
    log.proves(hall.granted, "back in control, with the token of its start")

    log.pull("SIGTERM to an agent")
    two.running[-1].send_signal(signal.SIGTERM)
    two.running[-1].wait()
    log.proves(lambda: hall.fallen(1), "it left the default set")
    two.start()
    log.proves(hall.granted, "back in control")

    log.pull("one node's line goes silent")
    hall.lines[1].state = SILENT
    log.proves(lambda: two.state() == "FAILSAFE" and hall.fallen(1), f"default within {LEASE_S:g} s and a tick or two")
    log.proves(lambda: hall.granted(0), "the other node has its plan")
    hall.lines[1].state = OPEN
    log.proves(hall.granted, "back, by an answer with the token of its fall")

    log.pull("the web process hangs (SIGSTOP)")
    web = service.child("web")
    os.kill(web, signal.SIGSTOP)
    log.proves(lambda: hall.fallen() and one.state() == "FAILSAFE", "every agent is in failsafe, on its own clock")
    os.kill(web, signal.SIGCONT)
    log.proves(hall.granted, "back, with no new plan")

    log.pull("kill -9 of the web process")
    os.kill(service.child("web"), signal.SIGKILL)
    log.proves(
        lambda: service.child("web") != web and service.get("/livez").status == 200, "the supervisor restarts it"
    )
    log.proves(hall.granted, "the plan holds")

    log.pull("the planner hangs (SIGSTOP)")
    planner = service.child("planner")
    os.kill(planner, signal.SIGSTOP)
    log.proves(lambda: one.status().get("reason") == "LEASE_OVER", "the service itself takes the lease back")
    log.proves(hall.fallen, "the default on every GPU")
    os.kill(planner, signal.SIGCONT)
    log.proves(hall.granted, "back with its next sign of life")

    log.pull("the guard dies")
    assert hall.guard is not None
    hall.guard.kill()
    hall.guard.wait()
    log.proves(hall.fallen, "silence of the guard is the default set")
    hall.start_guard()
    log.proves(hall.granted, "back when it is heard again")

    log.pull("the meter passes the import limit")
    before = max(hall.caps(0))
    hall.meter.mw = 0.13
    log.proves(lambda: max(hall.caps(0)) < 0.9 * before, "every cap is derated")
    hall.meter.mw = 0.05
    log.proves(hall.granted, "and rises again")
    log.pull("the meter falls silent")
    hall.meter.mw = None
    log.proves(hall.fallen, "the default set")
    hall.meter.mw = 0.05
    log.proves(hall.granted, "back when it reads again")

    log.pull("an operator takes the grant back")
    service.ask("PUT", "/api/v1/modes/hall", {"mode": "failsafe"})
    log.proves(hall.fallen, "the default, by long poll")
    if queue is not None:
        queue.let_go()
    service.ask("PUT", "/api/v1/modes/hall", {"mode": "auto", "lease_s": LEASE_S})
    log.proves(hall.granted, "the plan again")
    if queue is not None:
        queue.wait_for_windows()
        queue.lose(hall)

    log.pull("the agents' key is revoked")
    held, fresh = hall.key_file.read_text(), new_key(service)
    done = chergui("key", "revoke", held.split("_")[1], "--data-dir", str(service.folder))
    log.proves(lambda: done.returncode == 0, "the service knows it no more")
    log.proves(lambda: hall.fallen() and "401" in one.status()["last_answer"], "grants are gone, then the lease")
    hall.key_file.write_text(fresh)
    log.proves(hall.granted, "a new key in the file is enough")

    log.pull("a GPU is lost")
    one.change(3, flags="lost")
    log.proves(lambda: one.status()["gpus"][3]["lost"], "it is named")
    log.proves(lambda: min(one.limits()[:3]) >= GRANT_W, "the others keep their caps")
    one.change(3, flags="root-only", limit=700_000)
    log.proves(lambda: one.status()["gpus"][3]["lost"] is None, "it is held again")

    log.pull("a load target comes")
    start = datetime.now(UTC) + timedelta(hours=3)
    event = {"id": "cut", "start": rfc3339(start), "end": rfc3339(start + timedelta(hours=1)), "most_import_mw": 0.118}
    answer = service.ask("POST", "/api/v1/events", event)
    log.proves(lambda: answer.status == 201, f"accepted after a plan kept it: {answer.json().get('answer')}")
    log.proves(
        lambda: (service.get("/api/v1/events/cut").json()["planned"] or {}).get("kept"), "the next plan keeps it"
    )
    log.proves(hall.granted, "the caps of now stay")

    past_event(log, service)

    if queue is not None:
        queue.hand_in_late()
    log.pull("the service stops for good")
    service.process.send_signal(signal.SIGTERM)
    service.process.wait()
    log.proves(
        lambda: hall.fallen() and two.state() == "FAILSAFE", "every agent at its default set, whoever else is gone"
    )
    if queue is not None:
        queue.outlive(hall)


def kept_caps(service: Service) -> bool:
    """Whether the report of this hour tells of job slots, and that each kept its cap."""
    now = datetime.now(UTC)
    span = f"from={rfc3339(now - timedelta(minutes=30))}&to={rfc3339(now + timedelta(minutes=15))}"
    told = service.get(f"/api/v1/reports/jobs?{span}").json()["compliance"]
    return bool(told["job_slots"]) and told["above"] == 0


def past_event(log: Log, service: Service) -> None:
    """A target that began an hour ago: its record, against a meter that this script writes."""
    now = datetime.now(UTC)
    start = now - timedelta(minutes=now.minute % 15 + 60, seconds=now.second, microseconds=now.microsecond)
    log.pull("a load target that runs already, and the meter of its first hour")
    lines = [
        f"site,site=local import_mw=0.05 {int((start + timedelta(minutes=m)).timestamp())}" for m in range(1, 60, 3)
    ]
    host, port = service.url.removeprefix("http://").split(":")
    here = http.client.HTTPConnection(host, int(port), timeout=60)
    head = {"Authorization": f"Token {service.key}"}
    here.request("POST", "/api/v2/write?bucket=telemetry&precision=s", "\n".join(lines), head)
    log.proves(lambda: here.getresponse().status == 204, "telemetry takes the meter's readings")
    event = {"id": "now", "start": rfc3339(start), "end": rfc3339(now + timedelta(hours=1)), "most_import_mw": 0.118}
    service.ask("POST", "/api/v1/events", event)

    def recorded() -> bool:
        record = service.get("/api/v1/events/now").json()["record"]
        return (
            len(record["slots"]) >= 4 and all(slot["kept"] for slot in record["slots"][:4]) and bool(record["method"])
        )

    log.proves(recorded, "its record tells slot by slot what was metered, and by which method it is judged")


if __name__ == "__main__":
    sys.exit(main())
