"""What an agent must do, case by case. Each begins on a fresh stage, but for the refusals, which share one.

*Grants die early, restrictions die late, nothing rises without contact.* GPU 0 has a grant of 600 W, GPU 1 a
restriction to 250 W, the default is 450 W.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.kit.service import DEFAULT_W, GRANT_W, NODE, SOFT_W, FakeService, Script, rfc3339_in
from agent.kit.stage import Failed, NotRun, Stage

Play = Callable[[Stage], None]
_LIE = (1, 9)


@dataclass(frozen=True, slots=True)
class Case:
    """``shares``: it leaves the agent in control as it found it, so that the next case may go on with it."""

    name: str
    demand: str
    play: Play
    shares: bool = False


_CASES: list[Case] = []


def _case(name: str, demand: str) -> Callable[[Play], Play]:
    def keep(play: Play) -> Play:
        _CASES.append(Case(name, demand, play))
        return play

    return keep


def _lost(stage: Stage, script: Script | None = None) -> None:
    """In control on a short lease, then no usable answer any more."""
    stage.say(stage.script(times=stage.short))
    stage.controlled()
    stage.say(script or stage.script(times=stage.short).but(status=503))


def _falls(stage: Stage, why: str) -> None:
    stage.eventually(lambda: stage.none_above(DEFAULT_W), why, 6)


@_case("start", "before the first answer no cap lies above the agent's own default")
def _start(stage: Stage) -> None:
    stage.say(stage.script().but(status=503))
    stage.start()
    stage.asked_again()
    stage.eventually(lambda: stage.none_above(DEFAULT_W), "caps of 450 W at most")


@_case("control", "a plan's grants and restrictions are applied, and GPUs that it does not name get the default")
def _control(stage: Stage) -> None:
    stage.controlled()
    if not any(f"/caps/nodes/{NODE}" in question.path for question in stage.service.asked):
        raise Failed(f"it never asked /api/v1/caps/nodes/{NODE}")


@_case("conditional", "once it holds a version it asks with If-None-Match, so that an unchanged plan costs no body")
def _conditional(stage: Stage) -> None:
    stage.controlled()
    before = len(stage.service.asked)
    stage.asked_again(2)
    if not all(q.headers.get("if-none-match") == 'W/"1.1"' for q in stage.service.asked[before + 1 :]):
        raise Failed('a question that follows version 1.1 does not say If-None-Match: W/"1.1"')


@_case("304 renews", "a 304 for the version that is held renews its lease")
def _renews(stage: Stage) -> None:
    stage.say(stage.script(times=stage.short))
    stage.controlled()
    stage.never(lambda: not stage.has(GRANT_W, SOFT_W), "the plan was dropped though every answer renewed it", 4)


@_case("304 for another version", "a 304 for a version that is not held renews nothing")
def _other_304(stage: Stage) -> None:
    stage.say(stage.script(times=stage.short))
    stage.controlled()
    stage.say(stage.script(times=stage.short).but(only_304=True, version="1.8"))
    _falls(stage, "the grant gone, since nothing renewed it")


@_case("head cut short", "an answer whose head does not end renews nothing")
def _cut_head(stage: Stage) -> None:
    _lost(stage, stage.script(times=stage.short).but(cut_head=True))
    _falls(stage, "the grant gone, since nothing whole renewed it")


@_case("304 only", "a service that has only ever said 304 gives nothing to hold")
def _only_304(stage: Stage) -> None:
    stage.say(stage.script().but(only_304=True))
    stage.start()
    stage.asked_again(3)
    stage.eventually(lambda: stage.none_above(DEFAULT_W), "caps of 450 W at most")


@_case("stale", "after the time of staleness a grant is gone and a restriction still there")
def _stale(stage: Stage) -> None:
    _lost(stage)
    stage.eventually(lambda: stage.has(DEFAULT_W, SOFT_W), "450 W and still 250 W", 2.6)


@_case("lease over", "after the lease every cap is at the default or below, whatever the last plan granted")
def _over(stage: Stage) -> None:
    _lost(stage)
    _falls(stage, "the default")
    stage.never(lambda: not stage.none_above(DEFAULT_W), "a cap rose above the default without contact", 3)


@_case("hard restriction", "a restriction marked hard outlives the lease, to its own end")
def _hard(stage: Stage) -> None:
    span = {"start": rfc3339_in(-60), "end": rfc3339_in(600), "limit_w": 220.0, "hard": True}
    rows = [{"index": 0, "job": "held", "limit_w": DEFAULT_W, "periods": [span]}]
    script = stage.script(times=stage.short, gpus=rows)
    stage.say(script)
    stage.start()
    stage.eventually(lambda: stage.has(220, DEFAULT_W), "220 W on GPU 0", 20)
    stage.say(script.but(status=503))
    stage.never(lambda: not stage.has(220, DEFAULT_W), "the hard 220 W did not outlive the lease", 5)


@_case("header shorter than body", "the lease that the header tells counts where the body's is longer")
def _header(stage: Stage) -> None:
    script = stage.script().but(ttl_s=stage.short.ttl_s)
    stage.say(script)
    stage.controlled()
    stage.say(script.but(status=503))
    _falls(stage, "the default after the header's seconds")


@_case("ttl 0", "a lease of 0 s means the default now")
def _zero(stage: Stage) -> None:
    stage.controlled()
    stage.say(stage.script((1, 2)).but(ttl_s=0))
    _falls(stage, "the default")


@_case("plan over", "a plan is not acted on beyond valid_until, though its lease would last longer")
def _plan_over(stage: Stage) -> None:
    script = stage.script(valid_until=rfc3339_in(5 * stage.subject.scale))
    stage.say(script)
    stage.controlled()
    stage.say(script.but(status=503))
    stage.eventually(lambda: stage.none_above(DEFAULT_W), "the default at the plan's end", 9)


@_case("revoked", "an operator's failsafe (source default) is applied at the next answer")
def _revoked(stage: Stage) -> None:
    stage.controlled()
    stage.say(stage.script((1, 2), source="default", reason="FAILSAFE", mode="failsafe", gpus=[]))
    stage.eventually(lambda: stage.none_above(DEFAULT_W), "the default", 4)


@_case("older version", "a lower version than one seen is refused, after a restart, too")
def _older(stage: Stage) -> None:
    stage.say(stage.script((2, 7)))
    stage.controlled()
    old = stage.script((1, 99), gpus=[{"index": 0, "job": "old", "limit_w": 690.0}])
    stage.say(old)
    stage.asked_again()
    stage.never(lambda: not stage.none_above(GRANT_W), "an older version was applied", 0.5)
    stage.end()
    stage.service.reports.clear()
    stage.start()
    stage.asked_again()
    stage.eventually(lambda: stage.none_above(DEFAULT_W), "the default after the restart", 6)
    stage.never(lambda: not stage.none_above(DEFAULT_W), "an older version was applied after a restart", 1)


@_case("replayed answer", "an answer that was recorded before the fall leads nobody out of failsafe")
def _replayed(stage: Stage) -> None:
    _lost(stage)
    before = len(stage.service.asked) + 1  # one question may be on its way since before the loss
    stage.eventually(
        lambda: any("chergui-rejoin" in q.headers for q in stage.service.asked[before:]), "a question with a token", 8
    )
    _falls(stage, "the default")
    stage.say(stage.script(times=stage.long).but(token="an-old-token-of-before"))  # noqa: S106 - no secret
    stage.asked_again(2)
    stage.never(lambda: not stage.none_above(DEFAULT_W), "an answer with another token was believed", 0.5)
    stage.say(stage.script(times=stage.long).but(token=""))
    stage.asked_again(2)
    stage.never(lambda: not stage.none_above(DEFAULT_W), "an answer without a token was believed", 0.5)


@_case("return", "a fresh answer with the token leads out of failsafe, with no new plan")
def _return(stage: Stage) -> None:
    _lost(stage)
    _falls(stage, "the default")
    stage.say(stage.script(times=stage.long))
    stage.eventually(lambda: stage.has(GRANT_W, SOFT_W), "the plan's caps again", 15)


@_case("killed", "after a kill the plan on the disk is not acted on before a new answer")
def _killed(stage: Stage) -> None:
    stage.controlled()
    stage.end()
    stage.service.reports.clear()
    stage.say(stage.script().but(status=503))
    stage.start()
    stage.eventually(lambda: stage.none_above(DEFAULT_W), "the default", 10)
    stage.never(lambda: not stage.none_above(DEFAULT_W), "a cap rose above the default without contact", 1)


@_case("stopped", "told to stop, it leaves the default set")
def _stopped(stage: Stage) -> None:
    if not stage.reads:
        raise NotRun("needs --read, a command that prints the limits: nobody reports any more")
    stage.controlled()
    stage.end(signal.SIGTERM)
    if not stage.none_above(DEFAULT_W):
        raise Failed(f"after SIGTERM the limits are {stage.limits()} W")


@_case("hanging service", "an answer that never comes delays no fall")
def _hangs(stage: Stage) -> None:
    _lost(stage, stage.script((1, 2), stage.short).but(stall_s=30 * stage.subject.scale))
    _falls(stage, "the default while the answer hangs")


@_case("dripping service", "an answer of a byte now and then delays no fall")
def _drips(stage: Stage) -> None:
    _lost(stage, stage.script((1, 2), stage.short).but(drip_s=0.2))
    _falls(stage, "the default while the answer drips")


@_case("service clock jumps", "a service whose clock goes back a day stretches no lease")
def _service_clock(stage: Stage) -> None:
    stage.say(stage.script(times=stage.short))
    stage.controlled()
    stage.say(stage.script(times=stage.short).but(clock_s=-86_400))
    stage.asked_again(2)
    stage.say(stage.script(times=stage.short).but(status=503))
    _falls(stage, "the default, on the agent's own clock")


@_case("wall clock jumps", "a jump of the machine's wall clock neither ends nor stretches a lease")
def _wall_clock(stage: Stage) -> None:
    env = jumping_clock(stage.folder)
    stage.say(stage.script(times=stage.short))
    stage.start(**env)
    stage.controlled()
    if not Path(env["KIT_CLOCK"] + ".read").exists():
        raise NotRun("this agent does not read its wall clock through the C library: nothing jumped")
    for jump_s in (86_400, -86_400):
        (stage.folder / "clock").write_text(f"{jump_s}\n", encoding="ascii")
        stage.never(lambda: not stage.has(GRANT_W, SOFT_W), f"a jump of {jump_s} s ended a lease that was renewed", 2)
    stage.say(stage.script(times=stage.short).but(status=503))
    _falls(stage, "the default, though the wall clock stands a day back")


def jumping_clock(folder: Path) -> dict[str, str]:
    """Environment that gives a program a wall clock which follows ``<folder>/clock`` (seconds to add).

    Raises:
        NotRun: there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NotRun("needs a C compiler (cc) to build a wall clock that jumps")
    library = folder / "wall_clock.so"
    source = Path(__file__).with_name("wall_clock.c")
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a compiler on our own source
    (folder / "clock").write_text("0\n", encoding="ascii")
    return {"LD_PRELOAD": str(library), "KIT_CLOCK": str(folder / "clock")}


@_case("lost GPU", "a GPU that cannot be reached harms no other, and is capped anew when it is back")
def _lost_gpu(stage: Stage) -> None:
    stage.controlled()
    stage.lose()
    stage.say(stage.script((1, 2), gpus=[{"index": 0, "job": "granted", "limit_w": 500.0}]))
    stage.eventually(lambda: abs(stage.limits()[0] - 500) <= 1, "500 W on GPU 0", 6)
    stage.lose(False)
    stage.eventually(lambda: stage.has(500, DEFAULT_W), "450 W on the GPU that came back", 8)


@_case("redirect", "a redirection to another host does not take the key there")
def _redirect(stage: Stage) -> None:
    stage.controlled()
    elsewhere = FakeService(stage.script((1, 9), gpus=[{"index": 0, "job": "thief", "limit_w": 690.0}]))
    try:
        target = f"{elsewhere.url}/api/v1/caps/nodes/{NODE}"
        stage.say(stage.script((1, 2)).but(status=307, raw=b"", headers={"Location": target}))
        stage.asked_again(2)
        if any("authorization" in question.headers for question in elsewhere.asked):
            raise Failed("it sent its key to where the redirection pointed")
        stage.never(lambda: not stage.none_above(GRANT_W), "the other host's caps were applied", 0.5)
    finally:
        elsewhere.close()


# Answers that are refused as a whole: the lease goes on, nothing changes.


def _refusal(name: str, demand: str, make: Callable[[Stage], Script]) -> None:
    def play(stage: Stage) -> None:
        stage.controlled()
        stage.say(make(stage))
        stage.asked_again(2)
        if not stage.has(GRANT_W, SOFT_W):
            raise Failed(f"the caps changed to {stage.limits()} W")
        stage.say(stage.script())

    _CASES.append(Case(name, demand, play, shares=True))


def _lies(**changes: Any) -> Callable[[Stage], Script]:
    return lambda stage: stage.script(_LIE, **changes)


def _raw(content: bytes) -> Callable[[Stage], Script]:
    return lambda stage: stage.script(_LIE).but(raw=content)


def _row(limit: object) -> list[Mapping[str, object]]:
    return [{"index": 0, "job": "x", "limit_w": limit}]


def _nan(stage: Stage) -> Script:
    body = {**stage.script(_LIE).body, "gpus": _row(float("nan"))}
    return stage.script(_LIE).but(raw=json.dumps(body).encode())


def _huge(stage: Stage) -> Script:
    body = {**stage.script(_LIE, gpus=_row(690.0)).body, "note": "x" * (64 << 20)}
    return stage.script(_LIE).but(raw=json.dumps(body).encode())


def _torn(stage: Stage) -> Script:
    whole = json.dumps(stage.script(_LIE, gpus=_row(690.0)).body).encode()
    return stage.script(_LIE).but(raw=whole[: len(whole) // 2])


def _status(number: int) -> Callable[[Stage], Script]:
    return lambda stage: stage.script(_LIE, gpus=_row(690.0)).but(status=number)


for _name, _demand, _make in (
    ("torn JSON", "half an answer is none", _torn),
    ("cut short", "a body that ends before its length is none", lambda s: s.script(_LIE, gpus=_row(690.0)).but(cut=9)),
    ("NaN", "a cap that is no number spoils the answer", _nan),
    ("key twice", "a key that stands twice spoils the answer",
     _raw(b'{"schema_version": "1.0", "schema_version": "1.0"}')),
    ("no JSON", "a page of a proxy is no answer", _raw(b"<html>It works!</html>")),
    ("other schema", "another major schema is refused", _lies(schema_version="2.0", gpus=_row(690.0))),
    ("cap too high", "a cap above what the device accepts spoils the answer", _lies(gpus=_row(701.0))),
    ("cap too low", "a cap below what the device accepts spoils the answer", _lies(gpus=_row(0.0))),
    ("default out of range", "a default outside the device's limits spoils the answer",
     _lies(default={"limit_w": -1.0, "idle_limit_w": 300.0, "admit_starts": True, "suspend_order": [],
                    "nodes_may_switch_off": False})),
    ("wrong placement", "a row for a GPU that is not there spoils the answer",
     _lies(gpus=[{"index": 17, "job": "x", "limit_w": 690.0}])),
    ("another node", "an answer for another node is refused", _lies(node="kit-n2", gpus=_row(690.0))),
    ("another site", "an answer of another site is refused", _lies(site="elsewhere", gpus=_row(690.0))),
    ("header and body disagree", "a body of another version than its header is refused",
     lambda stage: stage.script(_LIE, gpus=_row(690.0)).but(version="1.10")),
    ("huge body", "an answer of 64 MiB is refused", _huge),
    ("401", "a key that is refused is no word about caps", _status(401)),
    ("403", "a scope that is too narrow is no word about caps", _status(403)),
    ("404", "a node that is not known is no word about caps", _status(404)),
    ("410", "a door that is gone is no word about caps", _status(410)),
    ("500", "a fault of the service is no word about caps", _status(500)),
):  # fmt: skip
    _refusal(_name, _demand, _make)

CASES: tuple[Case, ...] = tuple(_CASES)
