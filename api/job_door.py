"""Is a job one that this site can have at all? Everything wrong with it at once, by JSON pointer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from models.checking import faults_of, steps_of
from models.errors import Fault, InvalidInput
from models.horizon import rfc3339
from models.job_ways import way_faults
from models.jobs import TrainingJob
from models.site import Site
from models.strict_json import pointer

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
    for fault in way_faults(job, site):
        yield Fault(pointer(*steps_of(fault.pointer)), fault.code, fault.message)
    for name in ("release", "deadline", "pinned_start"):
        moment = getattr(job, name)
        if moment is not None and not 1970 <= moment.year <= 9000:
            yield Fault(f"/{name}", "out_of_range", f"{rfc3339(moment)}: write a year from 1970 to 9000")
    limits = (
        ("work_h", _MOST_HOURS),
        ("restart_loss_h", _MOST_HOURS),
        ("resize_loss_h", _MOST_HOURS),
        ("count", _MOST_COPIES),
        ("min_run_slots", _MOST_SLOTS),
        ("min_pause_slots", _MOST_SLOTS),
    )
    for name, most in limits:
        value = getattr(job, name)
        if value is not None and value > most:
            yield Fault(f"/{name}", "out_of_range", f"{value:g} is more than {most:g}; split the job or mend the unit")
