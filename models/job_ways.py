"""Ways in which a site lets a job run: pool or partner, gang, and how fast it is there.

A job's hours of work count at full speed in its own ``pool`` with its own ``gpus``. A gang of k times the GPUs is taken
to work ``k ** gang_exponent`` times as fast (the site's 0.9 is *assumed*: doubling yields 1.87 times the work, halving
leaves 0.54 of it, as what a gang exchanges grows with its size), and GPUs of another kind ``relative_speed`` times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models.errors import Fault
from models.jobs import TrainingJob
from models.site import GpuPool, Site
from models.site_jobs import Partner, Tenant

MOST_WAYS = 24
"""Ways of one job; each is a column of its own in every slot and level."""


@dataclass(frozen=True, slots=True)
class JobWay:
    """``speed`` is that of the uncapped gang there, as a share of the job's own."""

    place: GpuPool | Partner
    gpus: int
    speed: float

    @property
    def rented(self) -> bool:
        """Whether the GPUs are a partner's."""
        return isinstance(self.place, Partner)


def gang_sizes(job: TrainingJob) -> tuple[int, ...]:
    """Sizes that a job's gang may have, its own first, then from the largest down."""
    if job.gpus_min is None and job.gpus_max is None:
        others = set(job.gang_sizes)
    else:
        others = {*_halved(job.gpus, job.gpus_min or job.gpus), *_doubled(job.gpus, job.gpus_max or job.gpus)}
    return job.gpus, *sorted(others - {job.gpus}, reverse=True)


def chooses(job: TrainingJob) -> bool:
    """Whether a job names more than one way to run, or runs in another than its own."""
    return bool(job.pools or job.may_rent or len(gang_sizes(job)) > 1 or job.where != (job.pool, job.gpus))


def _halved(gpus: int, least: int) -> Iterator[int]:
    while gpus % 2 == 0 and gpus // 2 >= least:
        gpus //= 2
        yield gpus


def _doubled(gpus: int, most: int) -> Iterator[int]:
    while 2 * gpus <= most:
        gpus *= 2
        yield gpus


def residency_of(job: TrainingJob, site: Site) -> tuple[str, ...] | None:
    """Jurisdictions that job and tenant leave open; None: all."""
    tenant = next((one.residency for one in site.tenants if one.name == job.tenant and one.residency), None)
    if tenant is None or not job.residency:
        return job.residency or tenant
    return tuple(law for law in job.residency if law in tenant)


def may_rent(job: TrainingJob, site: Site) -> bool:
    """Whether a job may go to partners at all."""
    return job.may_rent and all(one.may_rent for one in site.tenants if one.name == job.tenant)


def ways_of(job: TrainingJob, site: Site) -> list[JobWay]:
    """Every way that stands open to a job as it is now, the one that it runs in, or its own, first.

    A job that runs and may not be paused stays in its pool, and where its gang may not change either, as it is. What
    residency closes is left out, but for the first way. The job has passed :func:`way_faults`.
    """
    pool, gpus = job.where
    first = _way(job, site, _place(site, pool), gpus)
    if job.state == "running" and not job.preemptible:
        places = [first.place] if job.resizable else []
    else:
        places = [site.pool(name) for name in dict.fromkeys((job.pool, *job.pools))]
        places += list(site.partners) if may_rent(job, site) else []
    open_, sizes = residency_of(job, site), gang_sizes(job)
    found = [
        _way(job, site, place, gang)
        for place in places
        if open_ is None or _law(place, site) in open_
        for gang in sizes
        if gang <= place.gpus
    ]
    return [first, *(way for way in found if (way.place.name, way.gpus) != (pool, gpus))]


def _place(site: Site, name: str) -> GpuPool | Partner:
    return site.partner(name) or site.pool(name)


def _law(place: GpuPool | Partner, site: Site) -> str | None:
    return place.jurisdiction if isinstance(place, Partner) else site.jurisdiction


def _way(job: TrainingJob, site: Site, place: GpuPool | Partner, gpus: int) -> JobWay:
    exponent = site.elastic.gang_exponent if job.gang_exponent is None else job.gang_exponent
    beside = (place.relative_speed or 1.0) / (site.pool(job.pool).relative_speed or 1.0)
    return JobWay(place, gpus, beside * float((gpus / job.gpus) ** exponent))


def way_faults(job: TrainingJob, site: Site) -> Iterable[Fault]:
    """What of a job this site cannot give, by dotted path: pools, gangs, partners, residency, checkpoints."""
    found = list(_place_faults(job, site))
    if found:
        yield from found
        return
    yield from _speed_faults(job, site)
    yield from _residency_faults(job, site)
    yield from _storage_faults(job, site)
    ways = len(ways_of(job, site))
    if ways > MOST_WAYS:
        message = f"{ways} ways to run (pools and partners, times gangs); keep to {MOST_WAYS}"
        yield Fault("gang_sizes", "too_many_ways", message)


def _place_faults(job: TrainingJob, site: Site) -> Iterable[Fault]:
    """Pools that are none, gangs that fit none."""
    pools = {pool.name: pool for pool in site.pools}
    known, least = f"known: {', '.join(pools)}", min(gang_sizes(job))
    for key, name in (("pool", job.pool), *((f"pools[{k}]", name) for k, name in enumerate(job.pools))):
        if name not in pools:
            kind = "a partner's, which may_rent opens" if site.partner(name) else f"no pool of {site.name}"
            yield Fault(key, "unknown_pool", f"{name!r} is {kind}; {known}")
        elif key == "pool" and job.gpus > pools[name].gpus:
            message = f"{job.gpus} GPUs, but pool {name!r} has {pools[name].gpus}; make the gang smaller"
            yield Fault("gpus", "larger_than_pool", message)
        elif least > pools[name].gpus:
            message = f"pool {name!r} has {pools[name].gpus} GPUs, the job's smallest gang {least}; leave it out"
            yield Fault(key, "larger_than_pool", message)
    if job.running_pool is None and job.running_gpus is None:
        return
    where, gpus = job.where
    place = site.partner(where) or pools.get(where)
    if place is None and job.running_pool is not None:
        yield Fault("running_pool", "unknown_pool", f"{where!r} is neither a pool nor a partner; {known}")
    elif place is not None and gpus > place.gpus:
        message = f"{gpus} GPUs, but {where!r} has {place.gpus}; mend what is said of the running job"
        yield Fault("running_gpus", "larger_than_pool", message)


def _speed_faults(job: TrainingJob, site: Site) -> Iterable[Fault]:
    home = site.pool(job.pool)
    for k, name in enumerate(job.pools):
        other = site.pool(name)
        if other.gpu != home.gpu and None in (other.relative_speed, home.relative_speed):
            message = (
                f"pool {name!r} has {other.gpu}, {home.name!r} has {home.gpu}: how fast the job is there is not known; "
                "the site file says so by relative_speed of both pools"
            )
            yield Fault(f"pools[{k}]", "speed_unknown", message)


def _residency_faults(job: TrainingJob, site: Site) -> Iterable[Fault]:
    open_ = residency_of(job, site)
    if open_ is None:
        return
    tenant = f"tenant {job.tenant!r} allows {', '.join(t.residency) or 'any'}" if (t := _tenant(job, site)) else ""
    if not open_:
        message = f"{', '.join(job.residency)} and what its {tenant} have nothing in common; mend one of the two"
        yield Fault("residency", "nothing_open", message)
        return
    laws = {_place(site, name).name: _law(_place(site, name), site) for name in (job.pool, *job.pools)}
    laws |= {one.name: one.jurisdiction for one in site.partners} if may_rent(job, site) else {}
    if job.state == "running" and _law(_place(site, job.where[0]), site) not in open_:
        message = f"it runs in {job.where[0]!r}, which is none of {', '.join(open_)}; stop it there or mend residency"
        yield Fault("residency", "runs_elsewhere", message)
    elif not any(law in open_ for law in laws.values()):
        told = ", ".join(f"{name} ({law or 'jurisdiction not said'})" for name, law in laws.items())
        message = f"it may run in {', '.join(open_)} alone, none of its pools is there: {told}; name one that is"
        yield Fault("residency", "nothing_open", f"{message}{' (' + tenant + ')' if tenant else ''}")


def _tenant(job: TrainingJob, site: Site) -> Tenant | None:
    return next((one for one in site.tenants if one.name == job.tenant), None)


def _storage_faults(job: TrainingJob, site: Site) -> Iterable[Fault]:
    storage = site.storage
    if storage is None or storage.over_cost_per_gb is not None:
        return
    most = storage.gb_per_s * site.planning.step.total_seconds()
    if job.checkpoint_gb > most:
        message = (
            f"{job.checkpoint_gb:g} GB is more than the {most:g} GB that the storage takes in a slot, so that it could "
            "never stop; raise storage.gb_per_s or give storage.over_cost_per_gb"
        )
        yield Fault("checkpoint_gb", "larger_than_slot", message)
