"""What sacct prints, as records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.accounting import COLUMNS, ENERGY, read_accounting
from models.errors import InvalidInput

HEAD = "|".join(COLUMNS)
TRES = "billing=64,cpu=64,gres/gpu:h100=8,gres/gpu=8,node=1"
ROW = f"amina|llama-7|gpu|1767225600|1767229200|1767236400|1-12:00:00|{TRES}|COMPLETED"


def test_a_job_that_ended_is_a_record() -> None:
    (job,) = read_accounting([HEAD, ROW]).ended
    assert (job.user, job.name, job.partition, job.gpus, job.limit_h) == ("amina", "llama-7", "gpu", 8, 36.0)
    assert job.submitted_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert job.run_h == 2.0


@pytest.mark.parametrize(
    ("limit", "hours"), [("30:00", 0.5), ("12:00:00", 12.0), ("7-00:00:00", 168.0), ("UNLIMITED", None), ("", None)]
)
def test_time_limits_as_slurm_writes_them(limit: str, hours: float | None) -> None:
    (job,) = read_accounting([HEAD, ROW.replace("1-12:00:00", limit)]).ended
    assert job.limit_h == hours


def test_jobs_that_teach_no_run_time_are_counted_by_reason() -> None:
    rows = [
        ROW.replace("gres/gpu:h100=8,gres/gpu=8,", ""),
        ROW.replace("1767229200", "Unknown"),
        ROW.replace("COMPLETED", "NODE_FAIL"),
        ROW.replace("1767236400", "Unknown").replace("COMPLETED", "RUNNING"),
        ROW.replace("COMPLETED", "TIMEOUT"),
        "",
    ]
    found = read_accounting([HEAD, *rows])
    reasons = ("no GPU", "never started", "ended by the cluster, not by the job", "still running")
    assert found.left_out == dict.fromkeys(reasons, 1)
    assert len(found.ended) == 1


def test_typed_gpus_count_where_no_sum_stands() -> None:
    (job,) = read_accounting([HEAD, ROW.replace("gres/gpu:h100=8,gres/gpu=8", "gres/gpu:h100=4,gres/gpu:a100=2")]).ended
    assert job.gpus == 6


def test_what_cannot_be_read_is_refused_line_by_line() -> None:
    rows = [ROW.replace("1767229200", "2026-01-01T01:00:00"), ROW + "|more", ROW.replace("1-12:00:00", "soon")]
    with pytest.raises(InvalidInput) as refused:
        read_accounting([HEAD, *rows])
    told = {fault.pointer: fault.message for fault in refused.value.faults}
    assert "set SLURM_TIME_FORMAT=%s" in told["line 2"]
    assert "10 cells under 9 headings" in told["line 3"]
    assert "'soon' is no time limit" in told["line 4"]
    with pytest.raises(InvalidInput, match="no column Timelimit; ask for -P -o User"):
        read_accounting([HEAD.replace("Timelimit", "Elapsed"), ROW])
    with pytest.raises(InvalidInput, match="no column User"):
        read_accounting([])


def test_energy_becomes_watts_a_gpu_where_it_was_metered() -> None:
    head = "|".join((*COLUMNS, ENERGY))
    cells = ["amina", "llm", "train", "0", "0", "3600", "1:00:00", "gres/gpu=8", "COMPLETED"]

    def drawn(joules: str) -> float | None:
        (job,) = read_accounting([head, "|".join([*cells, joules])], other_w=lambda _: 100.0).ended
        return job.drawn_w

    # 8 GPUs x (300 W + 100 W of the host) x 3600 s = 11.52 MJ
    assert drawn("11520000") == pytest.approx(300.0)
    assert drawn("0") is None
    assert drawn("4294967294") is None, "Slurm's word for nothing"
    assert drawn("11520") is None, "kJ where J belong: no GPU draws a negative power"
    with pytest.raises(InvalidInput, match="not ConsumedEnergy"):
        drawn("11.52M")
    with pytest.raises(InvalidInput, match="no column ConsumedEnergyRaw"):
        read_accounting(["|".join(COLUMNS), "|".join(cells)], other_w=lambda _: 0.0)
    assert read_accounting(["|".join(COLUMNS), "|".join(cells)]).ended[0].drawn_w is None
