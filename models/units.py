"""Units that telemetry may come in, and the way from one to another of the same kind.

Exact where it can be: factors are fractions, so that 431500 mW are 431.5 W and not nearly that. Definitions: SI
brochure (9th edition); inch, pound and US gallon after NIST Special Publication 811, appendix B.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple


class _Unit(NamedTuple):
    kind: str
    factor: Fraction  # value in the kind's base unit = factor × value + offset
    offset: Fraction = Fraction(0)


_PSI = Fraction(444822161526, 10**11) / (Fraction(254, 10000) ** 2)  # Pa
_GALLON = Fraction(231) * Fraction(254, 10000) ** 3  # m3
_UNITS = {
    "mW": _Unit("power", Fraction(1, 1000)),
    "W": _Unit("power", Fraction(1)),
    "kW": _Unit("power", Fraction(1000)),
    "MW": _Unit("power", Fraction(10**6)),
    "GW": _Unit("power", Fraction(10**9)),
    "mJ": _Unit("energy", Fraction(1, 1000)),
    "J": _Unit("energy", Fraction(1)),
    "kJ": _Unit("energy", Fraction(1000)),
    "MJ": _Unit("energy", Fraction(10**6)),
    "GJ": _Unit("energy", Fraction(10**9)),
    "Wh": _Unit("energy", Fraction(3600)),
    "kWh": _Unit("energy", Fraction(3600 * 10**3)),
    "MWh": _Unit("energy", Fraction(3600 * 10**6)),
    "GWh": _Unit("energy", Fraction(3600 * 10**9)),
    "degC": _Unit("temperature", Fraction(1)),
    "degF": _Unit("temperature", Fraction(5, 9), Fraction(-160, 9)),
    "K": _Unit("temperature", Fraction(1), Fraction(-27315, 100)),
    "1": _Unit("ratio", Fraction(1)),
    "%": _Unit("ratio", Fraction(1, 100)),
    "permille": _Unit("ratio", Fraction(1, 1000)),
    "m3/s": _Unit("flow", Fraction(1)),
    "m3/h": _Unit("flow", Fraction(1, 3600)),
    "l/s": _Unit("flow", Fraction(1, 1000)),
    "l/min": _Unit("flow", Fraction(1, 60000)),
    "gpm": _Unit("flow", _GALLON / 60),
    "Pa": _Unit("pressure", Fraction(1)),
    "hPa": _Unit("pressure", Fraction(100)),
    "kPa": _Unit("pressure", Fraction(1000)),
    "mbar": _Unit("pressure", Fraction(100)),
    "bar": _Unit("pressure", Fraction(10**5)),
    "psi": _Unit("pressure", _PSI),
    "Hz": _Unit("frequency", Fraction(1)),
    "kHz": _Unit("frequency", Fraction(1000)),
    "MHz": _Unit("frequency", Fraction(10**6)),
    "GHz": _Unit("frequency", Fraction(10**9)),
    "mV": _Unit("voltage", Fraction(1, 1000)),
    "V": _Unit("voltage", Fraction(1)),
    "kV": _Unit("voltage", Fraction(1000)),
    "mA": _Unit("current", Fraction(1, 1000)),
    "A": _Unit("current", Fraction(1)),
    "kA": _Unit("current", Fraction(1000)),
    "us": _Unit("time", Fraction(1, 10**6)),
    "ms": _Unit("time", Fraction(1, 1000)),
    "s": _Unit("time", Fraction(1)),
    "min": _Unit("time", Fraction(60)),
    "h": _Unit("time", Fraction(3600)),
    "B": _Unit("data", Fraction(1)),
    "KiB": _Unit("data", Fraction(1024)),
    "MiB": _Unit("data", Fraction(1024**2)),
    "GiB": _Unit("data", Fraction(1024**3)),
    "m/s": _Unit("speed", Fraction(1)),
    "km/h": _Unit("speed", Fraction(10, 36)),
    "W/m2": _Unit("irradiance", Fraction(1)),
}
_SPELLINGS = {"°C": "degC", "C": "degC", "°F": "degF", "F": "degF", "ratio": "1", "percent": "%", "m³/h": "m3/h"}


def known_units() -> tuple[str, ...]:
    """Every unit that is understood."""
    return tuple(_UNITS)


def converter(given: str, wanted: str) -> Callable[[float], float]:
    """A function that turns a value in ``given`` into one in ``wanted``.

    Raises:
        ValueError: a unit is unknown, or the two measure different things; says which and what to write.
    """
    here, there = _unit(given), _unit(wanted)
    if here.kind != there.kind:
        others = ", ".join(name for name, unit in _UNITS.items() if unit.kind == there.kind)
        raise ValueError(f"{given!r} is a unit of {here.kind}, {wanted!r} is wanted; write one of {others}")
    factor = here.factor / there.factor
    offset = float((here.offset - there.offset) / there.factor)
    times, by = factor.numerator, factor.denominator
    if max(times, by) > 2**53:  # no double holds these whole numbers
        ratio = float(factor)
        return lambda value: value * ratio + offset
    if factor == 1 and not offset:
        return float
    return lambda value: value * times / by + offset


def _unit(name: str) -> _Unit:
    found = _UNITS.get(_SPELLINGS.get(name, name))
    if found is None:
        near = difflib.get_close_matches(name, _UNITS, 1, 0.5)
        mend = f"did you mean {near[0]}?" if near else f"known: {', '.join(_UNITS)}"
        raise ValueError(f"{name!r} is no unit known here; {mend}")
    return found
