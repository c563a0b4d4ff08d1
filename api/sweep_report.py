"""Windows of a sweep as samples for a curve, each with what the telemetry of its time holds against its readings.

The node's agent measures; the quality gate of the service has seen the same GPUs meanwhile, with their load and their
caps. A window in which it flagged a GPU's power for anything that is no evidence for a curve (``starved``, all that is
BAD) does not teach, unless an operator has released the value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.ports import TelemetryStore
from ingest.quality_words import fits_curves
from ingest.quarantine import unfit_at
from models.errors import Fault, InvalidInput
from models.horizon import parse_rfc3339
from models.learn.gpu_samples import Sample

POWER = "gpu.power_w"


@dataclass(frozen=True, slots=True)
class Swept:
    """Windows as samples; ``unseen``: of how many telemetry knows nothing for some GPU, so that nobody can tell."""

    samples: list[Sample]
    unseen: int


def swept(path: Path, hot_c: float, telemetry: TelemetryStore | None) -> Swept:
    """The windows of a report; ``telemetry`` None: every one is unseen.

    Raises:
        InvalidInput: no report of a sweep, a window without its numbers, or whose times are none.
        StoreUnavailable: the store does not answer.
    """
    report = _json(path)
    rows, gpus = report.get("samples"), list(report.get("limits_found_w") or {})
    if not isinstance(rows, list):
        raise InvalidInput(str(path), [Fault("samples", "missing", "no list of windows; give a report of a sweep")])
    samples, unseen = [], 0
    for k, row in enumerate(rows):
        try:
            seen = _Seen("", complete=False) if telemetry is None else _seen(telemetry, gpus, row)
            samples.append(_sample(row, hot_c, seen.doubt))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"{type(error).__name__} {error}: a window holds limit_w, drawn_w and rate as numbers"
            raise InvalidInput(str(path), [Fault(f"samples[{k}]", "not_read", message)]) from None
        unseen += not seen.complete
    return Swept(samples, unseen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What telemetry says against a window; ``complete``: it has readings of every GPU in it."""

    doubt: str
    complete: bool


def _seen(telemetry: TelemetryStore, gpus: Sequence[str], row: Mapping[str, Any]) -> _Seen:
    if not (gpus and row.get("began") and row.get("ended")):
        return _Seen("", complete=False)
    start, end = parse_rfc3339(row["began"]), parse_rfc3339(row["ended"])
    against = [told for gpu in gpus if (told := _against(telemetry, gpu, start, end))]
    doubt = f"flagged in the telemetry: {', '.join(against)}" if against else ""
    return _Seen(doubt, all(telemetry.raw(POWER, {"gpu": gpu}, start, end) for gpu in gpus))


def _against(telemetry: TelemetryStore, gpu: str, start: datetime, end: datetime) -> str:
    """A GPU and the words of its flags that keep it out; empty for none."""
    found = unfit_at(telemetry, POWER, {"gpu": gpu}, start, end)
    words = sorted({word for flags in found.values() for word in flags if not fits_curves((word,))})
    return f"{gpu} {' and '.join(words)}" if words else ""


def _sample(row: Mapping[str, Any], hot_c: float, doubt: str) -> Sample:
    def optional(name: str) -> float | None:
        return None if row.get(name) is None else float(row[name])

    temp = optional("temp_c")
    return Sample(
        float(row["limit_w"]),
        float(row["drawn_w"]),
        float(row["rate"]),
        optional("enforced_w"),
        optional("busy"),
        hot=temp is not None and temp >= hot_c,
        doubt=doubt,
    )


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(str(path), [Fault("", "not_readable", f"{error}; check the path")]) from None
    return found if isinstance(found, dict) else {}
