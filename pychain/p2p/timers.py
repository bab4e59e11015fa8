"""Many timers behind one deadline: at most one per key, fired in order of time, then of insertion."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """A heap of (time, serial, key), from which replaced and cancelled entries are removed lazily."""

    __slots__ = ("_heap", "_live", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, K]] = []
        self._live: dict[K, int] = {}
        self._serial = 0

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: K, at_ns: int) -> None:
        """(Re)start the timer of `key` for the monotonic time `at_ns`."""
        self._serial += 1
        self._live[key] = self._serial
        heappush(self._heap, (at_ns, self._serial, key))
        if len(self._heap) > 2 * len(self._live) + 16:  # keeps memory proportional to the live timers
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapify(self._heap)

    def cancel(self, key: K) -> None:
        """Stop the timer of `key`, if there is one."""
        self._live.pop(key, None)

    def deadline(self) -> int | None:
        """When the next timer fires, monotonic ns."""
        while self._heap and not self._is_live(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, mono_ns: int) -> Iterator[K]:
        """Remove and yield the keys that are due; the caller may set and cancel timers in between."""
        while (at_ns := self.deadline()) is not None and at_ns <= mono_ns:
            key = heappop(self._heap)[2]
            del self._live[key]
            yield key

    def _is_live(self, entry: tuple[int, int, K]) -> bool:
        return self._live.get(entry[2]) == entry[1]
