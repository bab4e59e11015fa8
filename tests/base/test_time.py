"""Spans and deadlines."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pychain.base.time import NS, earliest, seconds


@given(st.integers(0, 10**6), st.integers(0, 3))
def test_seconds_of_a_decimal_number(digits: int, decimals: int) -> None:
    """A decimal duration becomes exactly that many nanoseconds, although most decimals are not exact floats."""
    assert seconds(digits / 10**decimals) == Fraction(digits * NS, 10**decimals)


@given(st.lists(st.none() | st.integers(), max_size=6))
def test_earliest(deadlines: list[int | None]) -> None:
    known = [deadline for deadline in deadlines if deadline is not None]
    assert earliest(*deadlines) == (min(known) if known else None)
