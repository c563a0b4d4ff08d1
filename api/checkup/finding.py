"""One thing that was looked at: how it stands, what was seen, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``fail`` means that planning here cannot be trusted; ``warn`` that something will surprise; ``note`` is news."""

    check: str
    state: State
    seen: str
    mend: str = ""
