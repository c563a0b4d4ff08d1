"""Rows of the model written as a person would: ``on[a,0] + 0.5 soc[store,1] <= 3`` (names without a part: its own)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from small_day import Row, agree, rows

_TERM = re.compile(r"(?P<sign>[+-])?\s*(?P<factor>\d+(?:\.\d+)?(?:e-?\d+)?)?\s*(?P<name>[A-Za-z_.]+(?:\[[^\]]+\])?)\s*")


@dataclass(frozen=True)
class Golden:
    """One row by name, the document whose model has it, how the model is built, and what it says."""

    name: str
    document: dict[str, Any] = field(repr=False)
    says: str
    how: dict[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """Part and constraint, without the index."""
        return self.name.split("[")[0]

    def __str__(self) -> str:
        words = " ".join(name for name, value in self.how.items() if value is not None and value is not False)
        return f"{self.name} {words}".strip()


def read(text: str, part: str) -> Row:
    """A written row as coefficients, sign and right-hand side."""
    match = re.fullmatch(r"(.*) (<=|>=|=) (\S+)", text)
    assert match is not None, text
    left, sign, right = match.groups()
    coefficients: dict[str, float] = {}
    place = 0
    while place < len(left):
        term = _TERM.match(left, place)
        assert term is not None, left[place:]
        name = term["name"] if "." in term["name"] else f"{part}.{term['name']}"
        assert name not in coefficients, f"{name} stands twice in {text}"
        coefficients[name] = (-1.0 if term["sign"] == "-" else 1.0) * float(term["factor"] or 1.0)
        place = term.end()
    return coefficients, sign, float(right)


def check(golden: Golden) -> None:
    """The model's row says what the golden one says."""
    found = rows(golden.document, **golden.how)
    assert golden.name in found, f"no such row; there are {sorted(found)}"
    assert agree(found[golden.name], read(golden.says, golden.name.split(".")[0])), found[golden.name]
