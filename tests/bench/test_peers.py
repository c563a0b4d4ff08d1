"""The comparison with the peers: its list, its environments, what it reads from a run, and our own entry in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.peers import environments, shared
from bench.peers import table as tables
from bench.peers.__main__ import main
from bench.peers.environments import NotInstalled, installed, python_of
from bench.peers.inside import STAGES, Watch
from bench.peers.pins import OURS, YARDSTICK, BadPins, Peer, chosen, read_peers
from bench.peers.runs import Failed, Run, parse, run
from bench.peers.table import Row, above_reference, build_share, goals, ratio, record, table

HERE = Path(__file__)
SCRIPT = HERE.parents[2] / "bench" / "peers" / "solve_chergui.py"
needs_shared = pytest.mark.skipif(
    not shared.FOLDER.is_dir(), reason="the peers' instances and scripts (shared/peers) are not beside the checkout"
)


def peer(name: str, **more: Any) -> Peer:
    return Peer(name, f"solve_{name}.py", "", **more)


def result(**change: Any) -> str:
    said = {"build_s": 0.5, "solve_s": 1.5, "checked_cost": 10.0, "bound": 9.5, "status": "Optimal", "n_violations": 0}
    return "a banner\nRESULT " + json.dumps(said | change) + "\nlater words\n"


def a_run(cost: float = 10.0, whole_s: float = 4.0, both_s: float = 2.0) -> Run:
    return Run(whole_s, whole_s, both_s / 4, both_s * 3 / 4, cost, None, (), 0, "ok", {})


class TestPins:
    def test_the_list_names_every_peer_of_the_comparison(self) -> None:
        names = {each.name for each in read_peers()}
        rest = {"scipy", "pyomo", "linopy", "flexmeasures", "pypsa", "oemof.solph", "emhass"}
        assert names == {OURS, YARDSTICK, *rest}

    @needs_shared
    def test_every_script_of_the_list_is_there(self) -> None:
        for each in read_peers():
            folder = SCRIPT.parent if each.ours else shared.FOLDER / "scripts"
            assert (folder / each.script).is_file(), each.name

    def test_every_peer_that_takes_our_solver_takes_the_same_one(self) -> None:
        solvers = {pin for each in read_peers() for pin in each.pins if pin.startswith("highspy")}
        assert len(solvers) == 1

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ('[[peer]]\nname = "x"\nscript = "s.py"\nnote = ""\npins = ["numpy"]', "'numpy' is no pin"),
            ('[[peer]]\nname = "x"\nscript = "s.py"\nnote = ""\npins = ["numpy<3"]', "no distribution is pinned"),
            ('[[peer]]\nname = "x"\nscript = "s.py"\nnote = ""\npins = ["--index-url=9"]', "is no pin"),
            ('[[peer]]\nname = "x"\nscript = "s.py"\npins = ["a==1"]', "note is missing"),
            ('[[peer]]\nname = "x"\nscript = "s.py"\nnote = ""\nspeed = 9', "unknown key speed"),
            ('[[peer]]\nname = "x"\nscript = "s.py"\nnote = ""\npins = ["a==1"]\n' * 2, "stands twice"),
            ('[[peer]]\nname = "chergui"\nscript = "s.py"\nnote = ""\nours = true', "no peer highspy"),
        ],
    )
    def test_a_list_that_pins_nothing_is_refused_with_the_reason(self, tmp_path: Path, text: str, says: str) -> None:
        file = tmp_path / "pins.toml"
        file.write_text(text)
        with pytest.raises(BadPins, match=says):
            read_peers(file)

    def test_we_and_the_yardstick_are_always_chosen(self) -> None:
        assert [each.name for each in chosen(read_peers(), "linopy")] == [OURS, YARDSTICK, "linopy"]
        with pytest.raises(BadPins, match="there is no peer lynopi"):
            chosen(read_peers(), "lynopi")

    def test_another_pin_is_another_environment(self) -> None:
        one, other = peer("x", pins=("a==1",)), peer("x", pins=("a==2",))
        assert one.key != other.key
        assert one.key == peer("x", pins=("a==1",)).key


class TestEnvironments:
    def test_ours_is_the_interpreter_that_runs_the_command(self, tmp_path: Path) -> None:
        assert python_of(peer(OURS, ours=True), tmp_path) == Path(sys.executable)

    def test_one_that_stands_is_not_made_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[Path] = []

        def make(folder: Path, python: Path, _: Peer) -> None:
            made.append(python)
            folder.mkdir(parents=True)
            (folder / "installed.txt").write_text("a==1\nb==2\n")

        monkeypatch.setattr(environments, "_make", make)
        one = peer("x", pins=("a==1",))
        assert python_of(one, tmp_path) == python_of(one, tmp_path) == made[0]
        assert len(made) == 1
        assert installed(one, tmp_path) == ["a==1", "b==2"]

    def test_a_failed_installer_is_named_by_its_last_words_and_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(command, 1, "", "error: no such version of x\n")

        monkeypatch.setattr(environments.subprocess, "run", fails)
        for _ in range(2):
            with pytest.raises(NotInstalled, match="no such version of x"):
                python_of(peer("x", pins=("x==9",)), tmp_path)

    def test_they_lie_in_the_users_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert environments.cache_folder() == tmp_path / "chergui" / "peers"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", "/home/someone")
        assert environments.cache_folder() == Path("/home/someone/.cache/chergui/peers")


class TestParse:
    def test_the_last_result_line_counts_and_the_cost_is_the_checkers(self) -> None:
        found = parse(result(checked_cost=1.0) + result(objective=-99.0), 7.0, 6.0)
        assert (found.cost, found.bound, found.whole_s, found.cpu_s) == (10.0, 9.5, 7.0, 6.0)
        assert (found.build_s, found.solve_s) == (0.5, 1.5)

    def test_violations_are_kept(self) -> None:
        found = parse(result(violations=["import limit at 3"], n_violations=21), 1.0, 1.0)
        assert (found.violations, found.violation_count) == (("import limit at 3",), 21)

    @pytest.mark.parametrize("bound", [None, float("nan"), float("-inf")])
    def test_what_is_no_bound_is_none(self, bound: float | None) -> None:
        assert parse(result(bound=bound), 1.0, 1.0).bound is None

    @pytest.mark.parametrize(
        ("output", "says"),
        [
            ("no plan today\n", "no RESULT line"),
            ("RESULT {nonsense\n", "cannot be read"),
            ("RESULT [1, 2]\n", "cannot be read"),
            ('RESULT {"checked_cost": 1.0, "solve_s": 1}\n', "build_s"),
            (result(checked_cost=None, status="TIME_LIMIT"), "without a plan: TIME_LIMIT"),
            (result(checked_cost=float("nan")), "without a plan"),
        ],
    )
    def test_a_useless_run_says_why(self, output: str, says: str) -> None:
        with pytest.raises(Failed, match=says):
            parse(output, 1.0, 1.0)


def script(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "solve_x.py"
    file.write_text("import os, sys, time\n" + text)
    return file


class TestRun:
    def go(self, file: Path, **more: Any) -> Run:
        options: dict[str, Any] = {"gap": 0.01, "limit_s": 5.0, "core": None, "setting": {"MINE": "1"}}
        return run(Path(sys.executable), file, Path("day.json"), **options | more)

    def test_a_process_gets_the_command_line_one_core_and_one_thread(self, tmp_path: Path) -> None:
        core = sorted(os.sched_getaffinity(0))[-1]
        file = script(
            tmp_path,
            f"assert os.sched_getaffinity(0) == {{{core}}} and os.environ['OMP_NUM_THREADS'] == '1'\n"
            "assert os.environ['MINE'] == '1' and 'PYTHONPATH' not in os.environ\n"
            "assert sys.argv[1:] == 'day.json --gap 0.01 --limit 5.0 --threads 1 --variant v'.split()\n"
            f"time.sleep(0.3)\nprint({result()!r})\n",
        )
        found = self.go(file, core=core, more=("--variant", "v"))
        assert found.cost == 10.0
        assert 0.3 <= found.whole_s < 20.0
        assert 0.0 < found.cpu_s < found.whole_s

    def test_one_that_breaks_is_named_by_its_last_words(self, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="exit 1: ModuleNotFoundError: No module named 'absent_peer'"):
            self.go(script(tmp_path, "import absent_peer\n"))

    def test_one_that_does_not_end_is_killed_with_its_children(self, tmp_path: Path) -> None:
        text = f"import subprocess\np = subprocess.Popen(['sleep', '60'])\nopen({str(tmp_path / 'pid')!r}, 'w')"
        text += ".write(str(p.pid))\ntime.sleep(60)\n"
        with pytest.raises(Failed, match=r"stopped after 2 s"):
            self.go(script(tmp_path, text), limit_s=1.0, overtime_s=1.0)
        child, deadline = Path("/proc") / (tmp_path / "pid").read_text() / "stat", time.monotonic() + 10
        while alive(child) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not alive(child)


def alive(stat: Path) -> bool:
    """Whether the process runs: it is there and no zombie that nobody has waited for yet."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


REFERENCES = {"tight_x": {"best": -200.0}, "day_x": {"best": 100.0}}


class TestTable:
    def rows(self, instance: str = "tight_x") -> list[Row]:
        ours = Row(peer(OURS, ours=True), instance, [a_run(-199.9, 3.0), a_run(-199.8, 9.0), a_run(-200.0, 4.0)])
        yardstick = Row(peer(YARDSTICK), instance, [a_run(-200.0, 2.0, 1.0)])
        failed = Row(peer("emhass"), instance, cause="not installed: no such version")
        return [ours, yardstick, Row(peer("linopy"), instance, [a_run(whole_s=4.0)]), failed]

    def test_seconds_are_medians_and_the_dearest_plan_is_judged(self) -> None:
        rows = self.rows()
        assert rows[0].median("whole_s") == 4.0
        assert above_reference(rows[0], REFERENCES) == pytest.approx(0.1)
        assert ratio(rows[0], rows, YARDSTICK, "whole_s") == 2.0
        assert ratio(rows[0], rows, YARDSTICK, "both_s") == 2.0
        assert ratio(rows[3], rows, YARDSTICK, "both_s") is None
        assert ratio(rows[0], rows, "emhass", "both_s") is None

    def test_costs_are_compared_on_the_tight_family_only(self) -> None:
        rows = self.rows("day_x")
        assert above_reference(rows[0], REFERENCES) is None
        assert goals(rows, REFERENCES) == []

    def test_a_peer_that_failed_stands_in_table_and_file_with_its_cause(self) -> None:
        rows = self.rows()
        kept = record(rows[3], rows, REFERENCES)
        assert (kept["cost"], kept["whole_s"], kept["cause"]) == (None, None, "not installed: no such version")
        cells = [list(column.cells)[3] for column in table("tight_x", rows, REFERENCES).columns]
        assert cells[:2] == ["emhass", "none: not installed: no such version"]

    def test_a_report_prints_as_tables_with_what_failed_and_what_was_missed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = self.rows()
        split = {"import": 9.0, "build": 0.3, "transfer": 0.2, "highs": 1.5, "rest": 7.0, "build_share": 0.25}
        report = {
            "begun": "2026-11-25T11:00:00+00:00",
            "machine": {"cores": 2, "processor": "m", "python": "3", "load_before": [1.5], "load_after": [2.0]},
            "asked": {"gap": 0.001, "limit_s": 60.0, "repeats": 3},
            "rows": [record(row, rows, REFERENCES) for row in rows],
            "ours_inside": {"tight_x": split},
            "goals": [
                {"instance": "tight_x", "what": "fast", "figure": "3 ×", "met": False},
                {"instance": "tight_x", "what": "true", "figure": "0", "met": True},
            ],
        }
        file = tmp_path / "report.json"
        file.write_text(json.dumps(report))
        assert main(["--from", str(file)]) == 0
        said = capsys.readouterr().out
        assert "| chergui | -199.80 | +0.100 % | 0 | 4.00 | 4.00 | 0.50 | 1.50 | 2.0 | 2.0 |" in said
        assert "| emhass | none: not installed: no such version |" in said
        assert "| tight_x | 9.00 | 0.30 | 0.20 | 1.50 | 7.00 | 25% |" in said
        assert "| fast | 3 ×, **not met** |\n| true | 0 |" in said
        assert "one of 2 m cores, load 1.5 before and 2 after" in said
        widths = [line.count("|") for line in said.split("**tight_x**")[1].split("| ours inside")[0].splitlines()]
        assert set(widths) == {0, 11}

    def test_goals_tell_met_from_missed_from_not_measured(self) -> None:
        found = {goal.what: goal.met for goal in goals(self.rows(), REFERENCES)}
        assert found["violations, none"] is True
        assert found["build + solve, at most 2 × raw HiGHS"] is True
        assert found["whole process, at most 1.3 × linopy"] is True
        assert found["whole process, at most a third of emhass"] is None
        slower = self.rows()
        slower[0].runs = [a_run(-190.0, 30.0, 9.0)]
        found = {goal.what: goal.met for goal in goals(slower, REFERENCES)}
        assert found["cost to best known, at most +0.1 %"] is False
        assert found["build + solve, at most 2 × raw HiGHS"] is False
        assert found["whole process, at most 1.3 × linopy"] is False

    def test_the_share_of_model_building_leaves_imports_and_the_rest_out(self) -> None:
        split = {"import": 9.0, "build": 0.3, "transfer": 0.2, "highs": 1.5, "rest": 7.0}
        assert build_share(split) == pytest.approx(0.25)
        assert [str(c.header) for c in tables.split_table({"x": split}).columns][1:-1] == list(STAGES)

    def test_a_stage_that_calls_itself_counts_once(self) -> None:
        watch = Watch()
        calls: list[int] = []

        def deeper(n: int) -> None:
            calls.append(n)
            if n:
                timed(n - 1)
            else:
                time.sleep(0.05)

        timed = watch.timed("build", deeper)
        began = time.perf_counter()
        timed(3)
        assert calls == [3, 2, 1, 0]
        assert 0.05 <= watch.seconds["build"] <= time.perf_counter() - began

    def test_what_another_thread_does_meanwhile_is_not_counted_twice(self) -> None:
        watch = Watch()
        timed = watch.timed("build", lambda: time.sleep(0.02))
        other = threading.Thread(target=timed)
        other.start()
        other.join()
        assert watch.seconds == {}


class TestCommand:
    def test_without_the_instances_it_says_so_and_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(shared, "FOLDER", tmp_path / "shared" / "peers")
        assert main(["--sizes", "20"]) == 2
        said = capsys.readouterr().err
        assert "cannot run" in said
        assert "shared/peers" in said

    @needs_shared
    def test_an_instance_that_is_not_there_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--sizes", "20,77"]) == 2
        assert "tight_n077_s1.json" in capsys.readouterr().err

    @needs_shared
    @pytest.mark.parametrize("words", [["--repeats", "0"], ["--core", "4000"], ["--sizes", "many"], ["--peers", "x"]])
    def test_an_argument_that_makes_no_sense_is_refused(self, words: list[str]) -> None:
        assert main(words) == 2


@needs_shared
@pytest.mark.parametrize("variant", ["", "inside"])
def test_ours_takes_part_with_the_same_line_and_its_plan_passes_the_checker(variant: str) -> None:
    instance = shared.FOLDER / "instances" / "tight_n005_s1.json"
    more = ("--variant", variant) if variant else ()
    found = run(
        Path(sys.executable), SCRIPT, instance, gap=1e-3, limit_s=20.0, core=None, setting={}, more=more, overtime_s=60
    )
    best = shared.references(shared.FOLDER)[instance.stem]["best"]
    assert found.violations == ()
    assert best - 1e-6 <= found.cost <= best + 1e-3 * abs(best)
    assert found.bound is not None
    assert found.bound <= best + 1e-6
    assert found.said["objective"] == pytest.approx(found.cost, abs=1e-4)
    if variant:
        split = found.said["split"]
        assert set(split) == set(STAGES)
        assert all(split[stage] > 0 for stage in STAGES)
        assert split["build"] + split["transfer"] + split["highs"] < found.whole_s
    else:
        assert found.build_s + found.solve_s + found.said["door_s"] < found.whole_s
