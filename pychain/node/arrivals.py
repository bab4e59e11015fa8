"""Raw transfers that arrived and were not looked at yet: so many of each peer, and each peer's in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

AT_A_TIME = 50
"""Of one peer before the next one's are looked at."""
MAX_ARRIVED = 1_000
"""Of one peer and not looked at yet; what is over it is dropped, and asked of others when the time for it is over. An
honest peer sends what he was asked for, which is less."""


class Arrivals:
    """Queues by who sent them, None for our own disk; who stands first has the next turn."""

    def __init__(self) -> None:
        self._queues: dict[int | None, deque[bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, raws: Iterable[bytes], peer: int | None) -> None:
        """Queue what a peer sent as far as he has room, or all that there is from our own disk (None)."""
        queue = self._queues.setdefault(peer, deque())
        queue.extend(raws if peer is None else islice(raws, max(0, MAX_ARRIVED - len(queue))))
        if not queue:
            del self._queues[peer]

    def forget(self, peer: int) -> None:
        """A peer is gone: what he sent can be asked of others."""
        self._queues.pop(peer, None)

    def count(self, peer: int | None) -> int:
        """How much of a peer's was not looked at yet."""
        return len(self._queues.get(peer, ()))

    def own(self) -> Iterable[bytes]:
        """What came from our own disk."""
        return self._queues.get(None, ())

    def take(self, budget: int) -> Iterator[tuple[int | None, list[bytes]]]:
        """Take up to so many out, some of one peer at a time."""
        while self._queues and budget > 0:
            peer = next(iter(self._queues))
            queue = self._queues.pop(peer)
            taken = [queue.popleft() for _ in range(min(len(queue), AT_A_TIME, budget))]
            if queue:
                self._queues[peer] = queue
            budget -= len(taken)
            yield peer, taken
