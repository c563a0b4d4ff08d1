"""Ours beside the peers, on the same instances in the same run; by hand, since it installs every peer.

    python -m bench.peers [--repeats 7] [--sizes 20,100,500] [--families tight,day] [--out FILE.json]
    python -m bench.peers --from FILE.json

Each peer of ``pins.toml`` gets a virtual environment of its own in the user's cache folder. Scripts,
instances, checker and best known costs are read in ``../shared/peers``. Every run is a process of its
own on one core; the runs are interleaved, so that a busy minute hits all. Whole-process seconds are
taken from outside, build and solve seconds from the script's RESULT line.

Exits 0 when every chosen peer has run, 1 where one is missing or failed (it is named with the cause),
2 where the instances or scripts are not there or an argument makes no sense.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.peers import shared
from bench.peers.environments import NotInstalled, cache_folder, installed, python_of
from bench.peers.markdown import markdown
from bench.peers.pins import OURS, BadPins, Peer, chosen, read_peers
from bench.peers.runs import Failed, Run, run
from bench.peers.table import Row, build_share, goals, goals_table, record, split_table, table

WARM_UP = "tight_n005_s1.json"
"""Run once by every peer before anything is timed: a first import reads cold files."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench.peers", description="Ours beside the peers, one table.")
    made.add_argument("--sizes", default="20,100,500", help="numbers of jobs (default: 20,100,500)")
    made.add_argument("--families", default="tight", help="tight, or tight,day (default: tight)")
    made.add_argument("--peers", help="comma-separated names; default: all of pins.toml")
    made.add_argument("--repeats", type=int, default=3, help="runs of each, interleaved (default: 3)")
    made.add_argument("--gap", type=float, default=1e-3, help="relative gap asked of each (default: 1e-3)")
    made.add_argument("--limit", type=float, default=60.0, help="seconds for each solver (default: 60)")
    made.add_argument("--core", type=int, help="the core that all run on (default: the last one)")
    made.add_argument("--out", type=Path, help="JSON file of all figures")
    made.add_argument("--from", dest="stored", type=Path, help="run nothing: print an earlier --out in Markdown")
    return made


def main(argv: list[str] | None = None) -> int:
    """Install, run, compare."""
    args = parser().parse_args(argv)
    if args.stored is not None:
        print(markdown(json.loads(args.stored.read_text(encoding="utf-8"))))
        return 0
    console, notes = Console(width=150), Console(stderr=True)
    cores = sorted(os.sched_getaffinity(0))
    try:
        peers = chosen(read_peers(), args.peers)
        files = shared.instances(shared.FOLDER, args.families, args.sizes)
        references = shared.references(shared.FOLDER)
        warm_up = shared.there(shared.FOLDER / "instances" / WARM_UP)
        if args.repeats < 1 or (args.core is not None and args.core not in cores):
            raise ValueError(f"--repeats is at least 1 and --core one of {', '.join(map(str, cores))}")
    except (shared.Missing, BadPins, ValueError) as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 2
    cache, core = cache_folder(), cores[-1] if args.core is None else args.core
    ready, missing = _install(peers, cache, notes)

    def once(peer: Peer, file: Path, *more: str) -> Run:
        scripts = Path(__file__).parent if peer.ours else shared.FOLDER / "scripts"
        setting = {"PYTHONPYCACHEPREFIX": str(cache / "bytecode")} if peer.ours else {"PYTHONDONTWRITEBYTECODE": "1"}
        return run(
            ready[peer.name],
            scripts / peer.script,
            file,
            gap=args.gap,
            limit_s=args.limit,
            core=core,
            setting=setting,
            more=more,
        )

    (ours,) = [peer for peer in peers if peer.name == OURS]
    began, load = datetime.now(UTC), os.getloadavg()
    for peer in peers:
        if peer.name in ready:
            notes.print(f"warm-up: {peer.name}", highlight=False)
            try:
                once(peer, warm_up)
            except Failed as error:
                notes.print(f"  {peer.name}: {error}", highlight=False)
    rows: list[Row] = []
    splits: dict[str, dict[str, float]] = {}
    for file in files:
        here = [Row(peer, file.stem, cause=missing.get(peer.name)) for peer in peers]
        rows += here
        for repeat in range(args.repeats):
            _round(here, repeat, lambda peer, file=file: once(peer, file), set(ready), notes)
        try:
            splits[file.stem] = once(ours, file, "--variant", "inside").said["split"]
        except Failed as error:
            notes.print(f"{file.stem}: no split of our own seconds: {error}", highlight=False)
        console.print(table(file.stem, rows, references))
    verdicts = goals(rows, references)
    if splits:
        console.print(split_table(splits))
    if verdicts:
        console.print(goals_table(verdicts))
    if args.out is not None:
        report = {
            "begun": began.isoformat(timespec="seconds"),
            "seconds": round(time.time() - began.timestamp()),
            "machine": _machine(cores, core, load),
            "asked": {"gap": args.gap, "limit_s": args.limit, "repeats": args.repeats, "threads": 1},
            "peers": [_about(peer, cache) for peer in peers],
            "rows": [record(row, rows, references) for row in rows],
            "ours_inside": {name: {**split, "build_share": build_share(split)} for name, split in splits.items()},
            "goals": [{"instance": g.instance, "what": g.what, "figure": g.figure, "met": g.met} for g in verdicts],
        }
        args.out.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    failed = sorted({row.peer.name for row in rows if row.cause is not None})
    if failed:
        print(f"not complete: {', '.join(failed)} (cause in the table)", file=sys.stderr)
    return 1 if failed else 0


def _install(peers: Sequence[Peer], cache: Path, notes: Console) -> tuple[dict[str, Path], dict[str, str]]:
    """Interpreters of the peers that could be installed, and the cause for each that could not."""
    ready, missing = {}, {}
    for peer in peers:
        notes.print(f"environment: {peer.name}", highlight=False)
        try:
            ready[peer.name] = python_of(peer, cache)
        except NotInstalled as error:
            missing[peer.name] = f"not installed: {error}"
            notes.print(f"  {peer.name}: {error}", highlight=False)
    return ready, missing


def _round(rows: Sequence[Row], repeat: int, once: Any, ready: set[str], notes: Console) -> None:
    """One run of every peer, each round beginning with another; one that failed is not tried again."""
    shift = repeat % len(rows)
    for row in [*rows[shift:], *rows[:shift]]:
        if row.cause is not None or row.peer.name not in ready:
            continue
        try:
            row.runs.append(once(row.peer))
            notes.print(f"{row.instance} {repeat + 1}: {row.peer.name} {row.runs[-1].whole_s:.2f} s", highlight=False)
        except Failed as error:
            row.cause = str(error)
            notes.print(f"{row.instance} {repeat + 1}: {row.peer.name} failed: {error}", highlight=False)


def _machine(cores: Sequence[int], core: int, load: tuple[float, float, float]) -> dict[str, Any]:
    return {
        "cores": len(cores),
        "core_used": core,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "load_before": [round(value, 2) for value in load],
        "load_after": [round(value, 2) for value in os.getloadavg()],
    }


def _about(peer: Peer, cache: Path) -> dict[str, Any]:
    return {"name": peer.name, "note": peer.note, "pins": list(peer.pins), "installed": installed(peer, cache)}


if __name__ == "__main__":
    sys.exit(main())
