"""One family of errors; the facts are attributes, so that any door can phrase them its own way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where, what kind, and a sentence with value and mend.

    ``pointer`` is a JSON pointer (RFC 6901) for documents, a dotted path for site files.
    ``code`` is a stable snake_case word that machines may match on.
    """

    pointer: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or 'whole document'}: {self.message}"


class CherguiError(Exception):
    """Root of every error raised on purpose. ``code`` is stable, CamelCase."""

    code = "CherguiError"


class InvalidInput(CherguiError):
    """An input was refused; ``faults`` lists everything that is wrong with it at once."""

    code = "InvalidInput"

    def __init__(self, what: str, faults: Iterable[Fault]) -> None:
        self.what = what
        self.faults = tuple(faults)
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"{what} was refused, {len(self.faults)} fault(s):\n{lines}")


class NoPlanInTime(CherguiError):
    """Neither a plan nor a proof that there is none was found; ``tried`` names the methods."""

    code = "NoPlanInTime"

    def __init__(self, time_limit_s: float, tried: Iterable[str]) -> None:
        self.time_limit_s = time_limit_s
        self.tried = tuple(tried)
        super().__init__(
            f"neither a plan nor a proof of infeasibility in {time_limit_s:g} s; "
            f"tried: {', '.join(self.tried) or 'nothing'}; allow more time or free some job"
        )


class NotFound(CherguiError):
    """A named thing does not exist; ``kind`` and ``name`` say which."""

    code = "NotFound"

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"there is no {kind} named {name!r}")
