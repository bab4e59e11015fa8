"""Targets, their compact encoding (Bitcoin's nBits) and their work.

Compact form: the top byte is the size in bytes, the low 23 bits the leading digits, bit 23 a sign that must be clear.
"""

from __future__ import annotations

from functools import lru_cache

from pychain.base.errors import DecodeError

MAX_TARGET = 2**256 - 1
DIFFICULTY_1_TARGET = 0xFFFF << 208
"""Bitcoin's easiest target, bits 0x1d00ffff: difficulty 1."""
_SIGN = 0x0080_0000
_DIGITS = 0x007F_FFFF
_REMEMBERED = 1024
"""Bits whose target and work are cached: a header's are needed several times, and again for each later header in a
retarget rule's window.
"""


@lru_cache(maxsize=_REMEMBERED)
def target_from_bits(bits: int) -> int:
    """The target behind compact `bits`; DecodeError for negative, zero and overflowing encodings."""
    size, digits = bits >> 24, bits & _DIGITS
    if digits and bits & _SIGN:
        raise DecodeError(f"bits 0x{bits:08x} encode a negative target")
    target = digits >> 8 * (3 - size) if size <= 3 else digits << 8 * (size - 3)
    if target == 0:
        raise DecodeError(f"bits 0x{bits:08x} encode a zero target")
    if target > MAX_TARGET:
        raise DecodeError(f"bits 0x{bits:08x} encode a target over 256 bits")
    return target


def bits_from_target(target: int) -> int:
    """The canonical compact encoding: the target rounded down to its leading 15 to 23 bits."""
    size = (target.bit_length() + 7) // 8
    digits = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if digits & _SIGN:  # the digit would read as a sign: one more byte of size
        digits >>= 8
        size += 1
    return size << 24 | digits


def work_from_target(target: int) -> int:
    """Expected number of hashes to meet the target: floor(2^256 / (target + 1))."""
    return 2**256 // (target + 1)


@lru_cache(maxsize=_REMEMBERED)
def work_from_bits(bits: int) -> int:
    """Work of a header whose bits are a valid encoding."""
    return work_from_target(target_from_bits(bits))
