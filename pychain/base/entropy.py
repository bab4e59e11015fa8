"""Randomness as an argument.

`Entropy` must be unpredictable for a real node: the daemon passes in the operating system's, a simulation a seeded
one. `Random` is a small integer generator for choices that an attacker may know; nothing secret comes from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

_MASK = 2**64 - 1

T = TypeVar("T")


class Entropy(Protocol):
    """A source of bytes for keys, peer-visible nonces, salts and batch weights."""

    def bytes(self, count: int) -> bytes:
        """`count` fresh random bytes."""
        ...


class Random:
    """SplitMix64 (Steele, Lea, Flood 2014): 64-bit state, integer output, the same on every machine and Python."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def u64(self) -> int:
        """A uniform integer in [0, 2^64)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound), bound in 1 to 2^64; rejection keeps it unbiased."""
        limit = (1 << 64) - (1 << 64) % bound
        while True:
            value = self.u64()
            if value < limit:
                return value % bound

    def unit(self) -> float:
        """A uniform float in [0, 1) from 53 bits."""
        return (self.u64() >> 11) / (1 << 53)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a uniformly drawn order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
