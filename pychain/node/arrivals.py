"""Queues of raw transfers that have arrived and not been processed yet, bounded per peer and served in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

AT_A_TIME = 50
"""Transfers taken from one peer's queue before the next peer's."""
MAX_ARRIVED = 1_000
"""Transfers queued per peer; the excess is dropped, and requested from others after the timeout. An honest peer sends
only what it was asked for, which is less."""


class Arrivals:
    """Queues by sender, None for our own disk; the first one is served next."""

    def __init__(self) -> None:
        self._queues: dict[int | None, deque[bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, raws: Iterable[bytes], peer: int | None) -> None:
        """Queue transfers from a peer as far as there is room, or all transfers from our own disk (None)."""
        queue = self._queues.setdefault(peer, deque())
        queue.extend(raws if peer is None else islice(raws, max(0, MAX_ARRIVED - len(queue))))
        if not queue:
            del self._queues[peer]

    def forget(self, peer: int) -> None:
        """Drop the queue of a peer that is gone; its transfers can be requested from others."""
        self._queues.pop(peer, None)

    def count(self, peer: int | None) -> int:
        """Length of a peer's queue."""
        return len(self._queues.get(peer, ()))

    def own(self) -> Iterable[bytes]:
        """The queued transfers from our own disk."""
        return self._queues.get(None, ())

    def take(self, budget: int) -> Iterator[tuple[int | None, list[bytes]]]:
        """Take up to `budget` transfers, some from each peer in turn."""
        while self._queues and budget > 0:
            peer = next(iter(self._queues))
            queue = self._queues.pop(peer)
            taken = [queue.popleft() for _ in range(min(len(queue), AT_A_TIME, budget))]
            if queue:
                self._queues[peer] = queue
            budget -= len(taken)
            yield peer, taken
