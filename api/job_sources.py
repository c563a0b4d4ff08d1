"""The job sources of a site, made from what its file says. Each kind's library is loaded when it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.policy_file import PolicyFile
from models.job_sources import JobList, Slurm
from models.site import Site

if TYPE_CHECKING:
    from api.expectations import Expectations
    from ingest.ports import TelemetryStore
    from ingest.sources.job_list.source import JobListSource
    from ingest.sources.slurm.commands import Commands
    from ingest.sources.slurm.source import SlurmSource


def policy_of(site: Site, folder: Path) -> PolicyFile:
    """The policy table; there is one wherever a job source is named.

    Raises:
        InvalidInput: it cannot be read.
    """
    assert site.jobs.policy is not None
    return PolicyFile(folder / site.jobs.policy)


def expectations_of(site: Site, folder: Path, telemetry: TelemetryStore | None = None) -> Expectations | None:
    """Run times and power learned from the accounting that the site names; None where it names none."""
    from api.expectations import Draw, Expectations

    told = site.jobs.accounting
    if told is None:
        return None
    draw = None
    if site.jobs.power_from == "telemetry" and telemetry is not None:
        from ingest.job_draws import with_draws

        draw = Draw(site.jobs.drawn_level, metered=lambda ended, now: with_draws(ended, telemetry, site.name, now))
    elif site.jobs.power_from in ("gpu_energy", "node_energy"):
        draw = Draw(site.jobs.drawn_level, _beside_gpus(site))
    return Expectations(folder / told, site.jobs.expected_level, draw)


def _beside_gpus(site: Site) -> Callable[[str], float]:
    """W per GPU that a partition's energy holds besides the GPUs; the least of all pools for a partition of none."""
    if site.jobs.power_from == "gpu_energy":
        return lambda _: 0.0
    hosts = {pool.name: site.host_w(pool) for pool in site.pools}
    rows = () if site.jobs.slurm is None else site.jobs.slurm.pools
    known = {partition: hosts[row.pool] for row in rows for partition in row.partitions if row.pool in hosts}
    least = min(hosts.values())
    return lambda partition: known.get(partition, least)


def lists_of(site: Site, folder: Path) -> list[tuple[JobList, JobListSource]]:
    """Job lists with what the file says of them.

    Raises:
        SourceUnavailable: a secret cannot be read.
    """
    from ingest.sources.http import client_for
    from ingest.sources.job_list.source import JobListSource, from_address, from_file

    def path(told: str | None) -> Path | None:
        return None if told is None else folder / told

    found = []
    for one in site.jobs.lists:
        if one.path is not None:
            fetch = from_file(one.name, folder / one.path)
        else:
            assert one.url is not None
            client = client_for(
                timeout_s=one.timeout_s,
                username=one.username,
                password_file=path(one.password_file),
                token_file=path(one.token_file),
                ca_file=path(one.ca_file),
            )
            fetch = from_address(client, one.url, one.timeout_s)
        found.append((one, JobListSource(one.name, fetch, one.format, pool=one.pool)))
    return found


def slurm_commands(slurm: Slurm, folder: Path) -> Commands:
    """Slurm's commands on this machine."""
    from ingest.sources.slurm.commands import Commands

    conf = None if slurm.conf is None else (folder / slurm.conf).resolve()
    return Commands(conf=conf, timeout_s=slurm.timeout_s)


def slurm_source(slurm: Slurm, folder: Path) -> SlurmSource:
    """Slurm's queue: over slurmrestd where the file names it, else by its commands."""
    from ingest.sources.slurm.rest import Rest
    from ingest.sources.slurm.source import SlurmSource

    if slurm.rest_url is None:
        return SlurmSource(slurm_commands(slurm, folder), slurm.pools)
    rest = Rest(
        "slurm",
        slurm.rest_url,
        user=slurm.rest_user,
        token_file=None if slurm.rest_token_file is None else folder / slurm.rest_token_file,
        version=slurm.rest_version,
        timeout_s=slurm.timeout_s,
    )
    return SlurmSource(rest, slurm.pools)
