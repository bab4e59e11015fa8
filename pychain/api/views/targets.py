"""Targets in readable forms."""

from __future__ import annotations

from pychain.chain.target import DIFFICULTY_1_TARGET, target_from_bits


def difficulty(bits: int) -> float:
    """The difficulty relative to Bitcoin's easiest target."""
    return DIFFICULTY_1_TARGET / target_from_bits(bits)


def bits_hex(bits: int) -> str:
    return f"{bits:08x}"


def target_hex(bits: int) -> str:
    return f"{target_from_bits(bits):064x}"


def work_hex(work: int) -> str:
    return f"{work:064x}"
