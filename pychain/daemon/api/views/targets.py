"""Targets as people compare them."""

from __future__ import annotations

from pychain.chain.target import target_from_bits

DIFFICULTY_1_TARGET = 0xFFFF << 208
"""Bitcoin's easiest target, bits 0x1d00ffff: difficulty 1."""


def difficulty(bits: int) -> float:
    """How many times harder than Bitcoin's easiest target."""
    return DIFFICULTY_1_TARGET / target_from_bits(bits)


def bits_hex(bits: int) -> str:
    return f"{bits:08x}"


def target_hex(bits: int) -> str:
    return f"{target_from_bits(bits):064x}"


def work_hex(work: int) -> str:
    return f"{work:064x}"
