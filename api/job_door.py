"""Is a job one that this site can have at all? Everything wrong with it at once, by JSON pointer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from models.checking import faults_of
from models.errors import Fault, InvalidInput
from models.horizon import rfc3339
from models.jobs import TrainingJob
from models.site import Site

_MOST_HOURS = 100_000.0
_MOST_SLOTS = 2016
_MOST_COPIES = 10_000


def read_job(raw: Any, site: Site) -> TrainingJob:
    """Job of parsed JSON; where it came from is said by us.

    Raises:
        InvalidInput: broken fields, an unknown pool, a gang larger than its pool, times or amounts out of reason.
    """
    try:
        job = TrainingJob.model_validate(raw)
    except ValidationError as error:
        raise InvalidInput("the job", faults_of(error, TrainingJob, "pointer")) from None
    faults = list(_faults(job, site))
    if faults:
        raise InvalidInput("the job", faults)
    return job.model_copy(update={"source": "api"})


def _faults(job: TrainingJob, site: Site) -> Iterable[Fault]:
    pools = {pool.name: pool.gpus for pool in site.pools}
    if job.pool not in pools:
        message = f"{job.pool!r} is no pool of {site.name}; known: {', '.join(pools)}"
        yield Fault("/pool", "unknown_pool", message)
    elif job.gpus > pools[job.pool]:
        message = f"{job.gpus} GPUs, but pool {job.pool!r} has {pools[job.pool]}; make the gang smaller"
        yield Fault("/gpus", "larger_than_pool", message)
    for name in ("release", "deadline", "pinned_start"):
        moment = getattr(job, name)
        if moment is not None and not 1970 <= moment.year <= 9000:
            yield Fault(f"/{name}", "out_of_range", f"{rfc3339(moment)}: write a year from 1970 to 9000")
    limits = (
        ("work_h", _MOST_HOURS),
        ("restart_loss_h", _MOST_HOURS),
        ("count", _MOST_COPIES),
        ("min_run_slots", _MOST_SLOTS),
        ("min_pause_slots", _MOST_SLOTS),
    )
    for name, most in limits:
        value = getattr(job, name)
        if value > most:
            yield Fault(f"/{name}", "out_of_range", f"{value:g} is more than {most:g}; split the job or mend the unit")
