"""Units: exact where a fraction is, refused where they measure different things."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.units import converter, known_units


@pytest.mark.parametrize(
    ("given_", "wanted", "value", "result"),
    [
        ("mW", "W", 431_500, 431.5),
        ("kW", "MW", 12.3, 0.0123),
        ("mJ", "J", 123_456_789, 123_456.789),
        ("kWh", "MWh", 5, 0.005),
        ("MJ", "MWh", 3600, 1.0),
        ("degF", "degC", 212, 100.0),
        ("degF", "degC", -40, -40.0),
        ("K", "degC", 273.15, 0.0),
        ("%", "1", 97, 0.97),
        ("gpm", "l/min", 1, 3.785411784),  # NIST SP 811
        ("psi", "kPa", 1, 6.894757293168),  # NIST SP 811, 6.894757 kPa
        ("m3/h", "l/min", 6, 100.0),
        ("degC", "degC", 21.3, 21.3),
    ],
)
def test_known_conversions(given_, wanted, value, result):
    assert converter(given_, wanted)(value) == pytest.approx(result, rel=1e-12, abs=1e-12)


@given(st.sampled_from(known_units()), st.sampled_from(known_units()), st.floats(-1e9, 1e9))
def test_there_and_back_is_the_same(one, other, value):
    try:
        there, back = converter(one, other), converter(other, one)
    except ValueError:
        return
    assert math.isclose(back(there(value)), value, rel_tol=1e-9, abs_tol=1e-6)


def test_other_kinds_and_typing_errors_are_told_with_the_mend():
    with pytest.raises(ValueError, match=r"'degC' is a unit of temperature, 'W' is wanted; write one of mW, W, kW"):
        converter("degC", "W")
    with pytest.raises(ValueError, match=r"'kw' is no unit known here; did you mean kW\?"):
        converter("kw", "W")
