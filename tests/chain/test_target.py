"""Compact targets against Bitcoin Core's published vectors and a plain oracle."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.target import MAX_TARGET, bits_from_target, target_from_bits, work_from_bits, work_from_target
from tests.support.strategies import u32

targets = st.integers(1, MAX_TARGET) | st.integers(0, 255).map(lambda bit: 1 << bit)

SET_COMPACT = [
    # Bitcoin Core, src/test/arith_uint256_tests.cpp, bignum_SetCompact: (compact, value, compact again)
    (0x01123456, 0x12, 0x01120000),
    (0x02123456, 0x1234, 0x02123400),
    (0x03123456, 0x123456, 0x03123456),
    (0x04123456, 0x12345600, 0x04123456),
    (0x05009234, 0x92340000, 0x05009234),
    (0x20123456, 0x123456 << 8 * 29, 0x20123456),
    # and what the wiki and the genesis block show
    (0x1B0404CB, 0x404CB << 8 * 24, 0x1B0404CB),
    (0x1D00FFFF, 0xFFFF << 8 * 26, 0x1D00FFFF),
]
ZERO = [0x00000000, 0x00123456, 0x01003456, 0x02000056, 0x03000000, 0x04000000]
ZERO_WITH_SIGN = [0x00923456, 0x01803456, 0x02800056, 0x03800000, 0x04800000]
NEGATIVE = [0x01FEDCBA, 0x04923456]
OVERFLOW = [0xFF123456]


@pytest.mark.parametrize(("bits", "value", "again"), SET_COMPACT)
def test_core_vectors(bits: int, value: int, again: int) -> None:
    assert target_from_bits(bits) == value
    assert bits_from_target(value) == again


def test_no_sign_bit_is_ever_written() -> None:
    assert bits_from_target(0x80) == 0x02008000


@pytest.mark.parametrize("bits", [*ZERO, *ZERO_WITH_SIGN, *NEGATIVE, *OVERFLOW])
def test_core_vectors_that_are_no_target(bits: int) -> None:
    with pytest.raises(DecodeError, match=re.compile("negative|zero|over 256 bits")):
        target_from_bits(bits)


def plain_target(bits: int) -> Fraction:
    """The encoding as its definition has it: a signed number of 23 bits times a power of 256, rounded down."""
    digits = Fraction(bits % 2**23)
    sign = -1 if bits & 2**23 else 1
    exponent = bits // 2**24 - 3
    return sign * Fraction(int(digits * Fraction(256) ** exponent))


@given(u32 | st.builds(lambda size, digits: size << 24 | digits, st.integers(0, 36), st.integers(0, 2**24 - 1)))
def test_against_the_definition(bits: int) -> None:
    expected = plain_target(bits)
    try:
        target = target_from_bits(bits)
    except DecodeError:
        assert expected <= 0 or expected > MAX_TARGET or bits & 2**23
    else:
        assert 0 < target == expected <= MAX_TARGET


@given(u32)
def test_core_calls_the_same_encodings_wrong(bits: int) -> None:
    """Negative or overflowing in the terms of Core's SetCompact, or a value of zero."""
    size, word = bits >> 24, bits & 0x7FFFFF
    if size <= 3:
        word >>= 8 * (3 - size)
    negative = word != 0 and bits & 0x800000 != 0
    overflow = word != 0 and (size > 34 or (word > 0xFF and size > 33) or (word > 0xFFFF and size > 32))
    wrong = word == 0 or negative or overflow
    try:
        target_from_bits(bits)
    except DecodeError:
        assert wrong
    else:
        assert not wrong


@given(targets)
def test_encoding_rounds_down_a_little(target: int) -> None:
    bits = bits_from_target(target)
    rounded = target_from_bits(bits)
    assert rounded <= target
    assert target - rounded < max(1, target >> 15)
    assert bits_from_target(rounded) == bits
    assert not bits & 0x800000


@given(targets, targets)
def test_encoding_keeps_the_order(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert target_from_bits(bits_from_target(low)) <= target_from_bits(bits_from_target(high))


@given(targets)
def test_work_is_the_expected_number_of_hashes(target: int) -> None:
    assert work_from_target(target) == int(Fraction(2**256, target + 1))


@pytest.mark.parametrize(("bits", "work"), [(0x1D00FFFF, 4295032833), (0x207FFFFF, 2), (0x2100FFFF, 1)])
def test_work_of_bits(bits: int, work: int) -> None:
    assert work_from_bits(bits) == work
