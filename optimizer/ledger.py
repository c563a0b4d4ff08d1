"""Named sums that the parts append to: parts meet here and nowhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pyomo.core.expr.numeric_expr import LinearExpression

FIRST_TERMS = ("import", "export", "demand_charge", "carbon", "wear", "starts", "late", "unmet", "work_value")
"""Names of the objective's terms in version 1.0, in the order in which people read them."""

TERMS = (*FIRST_TERMS, "fuel", "water", "partner", "stored", "change", "wishes")
"""All names of terms; those of version 1.1 stand in a plan only where they are not zero."""


class Sum:
    """A linear sum under construction: a constant and coefficients on variables."""

    __slots__ = ("coefficients", "constant", "variables")

    def __init__(self, constant: float = 0.0) -> None:
        self.constant = constant
        self.coefficients: list[float] = []
        self.variables: list[Any] = []

    def add(self, coefficient: float, variable: Any) -> Sum:
        """Append ``coefficient * variable``; zero coefficients leave no trace."""
        if coefficient != 0:
            self.coefficients.append(coefficient)
            self.variables.append(variable)
        return self

    def plus(self, other: Sum, factor: float = 1.0) -> Sum:
        """Append ``factor`` times another sum."""
        self.constant += factor * other.constant
        self.coefficients.extend(factor * c for c in other.coefficients)
        self.variables.extend(other.variables)
        return self

    @property
    def empty(self) -> bool:
        """Whether no variable stands in it."""
        return not self.variables

    def expression(self) -> Any:
        """The sum as a Pyomo expression, or a number where it is constant."""
        if self.empty:
            return self.constant
        return LinearExpression(constant=self.constant, linear_coefs=self.coefficients, linear_vars=self.variables)


@dataclass(frozen=True)
class Give:
    """One hard row's slack in the diagnosing model: whose it is and how a sentence about it reads.

    ``sentence`` is a template with ``{amount}``, the amount already in the unit that a person reads:
    ``scale`` times the variable's value. Work of a job that must be done gives first (``weight`` 1), because
    a job is what an operator can move; limits give only where no job is to blame.
    """

    key: tuple[str, str]
    variable: Any
    scale: float
    slot: int | None
    sentence: str
    weight: float = 1e4


@dataclass
class Ledger:
    """What the parts tell each other: GPUs, power and heat by pool and slot, supply, demand, cost, slack.

    ``removed`` is the heat that leaves by the cooling plant, ``cooling`` its power at the slot's own heat,
    ``used`` is heat and cooling, ``bought`` and ``sold`` what crosses the meter, ``given`` and ``taken`` what
    each battery, generator and service puts out and takes in. ``places`` is where each entry may run: its ways, slots,
    and the variables that say whether it does; ``lost_h`` the work that changes of its gang lose.
    """

    slots: int
    elastic: bool = False
    places: dict[str, list[tuple[Any, int, Any]]] = field(default_factory=dict)
    lost_h: dict[str, Sum] = field(default_factory=lambda: defaultdict(Sum))
    gpus_used: dict[tuple[int, int], Sum] = field(default_factory=lambda: defaultdict(Sum))
    pool_power: dict[tuple[int, int], Sum] = field(default_factory=lambda: defaultdict(Sum))
    loads: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    heat: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    pool_heat: dict[tuple[int, int], Sum] = field(default_factory=lambda: defaultdict(Sum))
    cooling: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    removed: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    used: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    bought: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    sold: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    given: dict[tuple[str, int], Sum] = field(default_factory=lambda: defaultdict(Sum))
    taken: dict[tuple[str, int], Sum] = field(default_factory=lambda: defaultdict(Sum))
    supply: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    demand: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    cost: dict[str, Sum] = field(default_factory=lambda: {name: Sum() for name in TERMS})
    gives: list[Give] = field(default_factory=list)

    def gives_way(self, cost: float | None) -> bool:
        """Whether a row needs a slack: its wish has a price, or the model is to tell what would have to give."""
        return cost is not None or self.elastic

    def give(self, gives: Iterable[Give]) -> None:
        """Note slacks of hard rows; only the diagnosing (elastic) model has any."""
        self.gives.extend(gives)
