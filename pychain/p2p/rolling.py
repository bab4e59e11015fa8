"""A set that remembers at least the last `capacity` items it was given, in bounded memory."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class RollingSet(Generic[T]):
    """Two generations: when the young one is full, the old one is dropped whole. Holds at most twice `capacity`.

    Exact, unlike the Bloom filter that Bitcoin Core uses here: nothing is ever taken for known that is not.
    """

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: dict[T, None] = {}
        self._old: dict[T, None] = {}

    def __contains__(self, item: T) -> bool:
        return item in self._young or item in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, item: T) -> bool:
        """Remember `item` as the latest; True when it was not in the set."""
        if item in self._young:
            return False
        known = self._old.pop(item, self) is None
        if len(self._young) >= self._capacity:
            self._old = self._young
            self._young = {}
        self._young[item] = None
        return not known
