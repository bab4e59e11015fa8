"""A set that remembers at least the last `capacity` items, in bounded memory."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class RollingSet(Generic[T]):
    """Two generations: when the new one is full, the old one is dropped. Holds at most twice `capacity`.

    Exact, unlike the Bloom filter that Bitcoin Core uses here: there are no false positives.
    """

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: dict[T, None] = {}
        self._old: dict[T, None] = {}

    def __contains__(self, item: object) -> bool:
        return item in self._young or item in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def update(self, items: Iterable[T]) -> None:
        """Remember each of these in turn as the latest."""
        young, old = self._young, self._old
        for item in items:
            if item in young:
                continue
            if len(young) >= self._capacity:
                self._old = old = young
                self._young = young = {}
            elif old:
                old.pop(item, None)
            young[item] = None
