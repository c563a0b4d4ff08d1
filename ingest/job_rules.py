"""What is wrong with a site's job sources beyond their own keys: files, pools, node lists, the policy's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import Fault, InvalidInput


def job_faults(raw: Mapping[str, Any], folder: Path | None) -> Iterator[Fault]:
    """Faults of ``[jobs]``, by dotted path; ``folder`` is where relative paths begin, None: not looked for."""
    jobs = raw.get("jobs")
    if not isinstance(jobs, Mapping):
        return
    pools = {str(row.get("name")): row for row in _rows(raw, "pools")}
    for k, one in enumerate(_rows(jobs, "lists")):
        yield from _pool_fault(f"jobs.lists[{k}].pool", one.get("pool"), pools)
        for key in ("path", "password_file", "token_file", "ca_file"):
            yield from _file_fault(f"jobs.lists[{k}].{key}", one.get(key), folder)
    slurm = jobs.get("slurm")
    if isinstance(slurm, Mapping):
        for key in ("conf", "rest_token_file"):
            yield from _file_fault(f"jobs.slurm.{key}", slurm.get(key), folder)
        for k, one in enumerate(_rows(slurm, "pools")):
            yield from _slurm_pool_faults(f"jobs.slurm.pools[{k}]", one, pools)
    yield from _policy_faults(jobs, pools, _rows(raw, "partners"), folder)
    if "synthetic" in raw and (jobs.get("lists") or jobs.get("slurm") is not None):
        yield Fault("synthetic", "mixed", "made-up jobs are not mixed into a real queue; remove this section")


def _slurm_pool_faults(place: str, one: Mapping[str, Any], pools: Mapping[str, Any]) -> Iterator[Fault]:
    from ingest.sources.slurm.hosts import node_names

    yield from _pool_fault(f"{place}.pool", one.get("pool"), pools)
    try:
        nodes = node_names(str(one.get("nodes") or ""))
    except ValueError as error:
        yield Fault(f"{place}.nodes", "bad_nodes", str(error))
        return
    pool = pools.get(str(one.get("pool")))
    gpus, each = (pool.get("gpus"), pool.get("gpus_per_node", 8)) if isinstance(pool, Mapping) else (None, 8)
    if nodes and isinstance(gpus, int) and isinstance(each, int) and each > 0 and len(nodes) != -(-gpus // each):
        message = f"{len(nodes)} nodes, but the pool has {-(-gpus // each)}; name each of them once, in order"
        yield Fault(f"{place}.nodes", "wrong_count", message)


def _policy_faults(
    jobs: Mapping[str, Any], pools: Mapping[str, Any], partners: Sequence[Any], folder: Path | None
) -> Iterator[Fault]:
    from ingest.policy_file import load_policy

    path = jobs.get("policy")
    if folder is None or not isinstance(path, str):
        return
    try:
        policy = load_policy(folder / path)
    except InvalidInput as error:
        for fault in error.faults:
            where = f"{path}: {fault.pointer}: " if fault.pointer else f"{path}: "
            yield Fault("jobs.policy", fault.code, f"{where}{fault.message}")
        return
    slurm = jobs.get("slurm")
    deadman = isinstance(slurm, Mapping) and slurm.get("deadman") is True
    for k, row in enumerate(policy.rows):
        named = [("pool", row.pool), *((f"pools[{i}]", name) for i, name in enumerate(row.pools))]
        for key, name in named:
            if name is not None and name not in pools:
                message = f"{path}: rows[{k}].{key}: there is no pool {name!r}; known: {', '.join(pools)}"
                yield Fault("jobs.policy", "unknown_pool", message)
        if row.may_rent and not partners:
            message = f"{path}: rows[{k}].may_rent: the site has no [[partners]]; add one or remove it"
            yield Fault("jobs.policy", "no_partner", message)
        if row.pausable and row.pause == "suspend" and isinstance(slurm, Mapping) and not deadman:
            message = (
                f'{path}: rows[{k}].pause: "suspend" needs the timer that resumes jobs without us; install it and '
                'write deadman = true under [jobs.slurm], or write "requeue"'
            )
            yield Fault("jobs.policy", "no_deadman", message)


def _pool_fault(place: str, pool: Any, pools: Mapping[str, Any]) -> Iterator[Fault]:
    if isinstance(pool, str) and pool not in pools:
        message = f"{pool!r} is no pool of this site; known: {', '.join(pools) or 'none'}"
        yield Fault(place, "unknown_pool", message)


def _file_fault(place: str, path: Any, folder: Path | None) -> Iterator[Fault]:
    if folder is not None and isinstance(path, str) and not (folder / path).is_file():
        yield Fault(place, "no_such_file", f"there is no file {path!r} beside the site file; mend the path")


def _rows(table: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    rows = table.get(section)
    return [row if isinstance(row, Mapping) else {} for row in rows] if isinstance(rows, list) else []
