"""Coins and base units: reading and writing amounts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.base.units import COIN, format_coins, parse_coins

EXAMPLES = [
    (0, "0"),
    (1, "0.00000001"),
    (COIN, "1"),
    (150_000_000, "1.5"),
    (100_000_010, "1.0000001"),
    (2**63 - 1, "92233720368.54775807"),
    (-150_000_000, "-1.5"),
]


@pytest.mark.parametrize(("units", "coins"), EXAMPLES)
def test_format_coins(units: int, coins: str) -> None:
    assert format_coins(units) == coins


@given(st.integers(-(2**63), 2**63 - 1))
def test_format_is_the_decimal_value(units: int) -> None:
    assert Decimal(format_coins(units)) * COIN == units


@given(st.integers(0, 2**63 - 1))
def test_round_trip(units: int) -> None:
    assert parse_coins(format_coins(units)) == units


@pytest.mark.parametrize(
    ("text", "units"), [(" 1.5 ", 150_000_000), (".5", 50_000_000), ("007", 7 * COIN), ("0.10", 10_000_000)]
)
def test_other_spellings(text: str, units: int) -> None:
    assert parse_coins(text) == units


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "1.", "-1", "+1", "1e3", "1_000", "1,5", "0x10", "1.123456789", "one", "1 2", "1\n2", "NaN", "inf"),
        *("\u0661", "1.\u0662", "\u00b2"),
        *("9" * 5000, "1." + "0" * 5000),
    ],
)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(DecodeError, match="is not an amount of coins") as refused:
        parse_coins(text)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    try:
        units = parse_coins(text)
    except DecodeError:
        return
    assert units == Decimal(text.strip()) * COIN
