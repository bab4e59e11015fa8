"""The ends of the mempool's queues by fee rate: which transfers are evicted first."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from pychain.ledger.pending import Pending, Queue

SLACK = 2
"""The heap is rebuilt when it has this many entries per account, since most of them must be stale."""
STEP = 4
"""Accounts moved to the new heap with each push, so that no single push is slow."""

_End = tuple[int, bytes, bytes]
"""Rate, txid, sender."""


class QueueEnds:
    """A heap of the queues' last transfers. An entry becomes stale when its queue changes, which is checked when it
    is popped.
    """

    def __init__(self, queues: Mapping[bytes, Queue]) -> None:
        """`queues` is the mempool's own table, account -> queue."""
        self._queues = queues
        self._heap: list[_End] = []
        self._next: list[_End] = []
        """The heap that replaces the present one once all of `_sweep` has been moved."""
        self._sweep: list[bytes] = []

    def __len__(self) -> int:
        return len(self._heap) + len(self._next)

    def push(self, pending: Pending) -> None:
        """Add a transfer that is now the last of its queue."""
        end = _end(pending)
        heapq.heappush(self._heap, end)
        if self._sweep:
            heapq.heappush(self._next, end)
            self._take_over()
        elif len(self._heap) > SLACK * len(self._queues) + 64:
            self._sweep = list(self._queues)

    def _take_over(self) -> None:
        for _ in range(min(STEP, len(self._sweep))):
            queue = self._queues.get(self._sweep.pop())
            if queue:
                heapq.heappush(self._next, _end(queue[-1]))
        if not self._sweep:
            self._heap, self._next = self._next, []

    def cheapest(self, excess: int, exempt: bytes | None = None) -> list[Pending]:
        """The transfers to evict to free `excess` bytes: the ends that pay least, in order (the lowest txid first among
        equal rates). Each uncovers the one before it in its queue. None is of the account `exempt`. All that can be
        evicted if that is not enough.
        """
        chosen: list[Pending] = []
        depths: dict[bytes, int] = {}
        current: list[_End] = []
        uncovered: list[_End] = []
        while excess > 0 and (self._heap or uncovered):
            heap = min(filter(None, (self._heap, uncovered)), key=lambda heap: heap[0])
            end = heapq.heappop(heap)
            _, txid, sender = end
            depth, queue = depths.get(sender, 0), self._queues.get(sender, ())
            if depth == len(queue) or queue[-1 - depth].transfer.txid != txid:
                continue
            if heap is not uncovered:
                current.append(end)
            if sender == exempt:
                continue
            chosen.append(queue[-1 - depth])
            excess -= len(chosen[-1].transfer.raw)
            depths[sender] = depth + 1
            if depth + 1 < len(queue):
                heapq.heappush(uncovered, _end(queue[-2 - depth]))
        for end in current:
            heapq.heappush(self._heap, end)
        return chosen


def _end(pending: Pending) -> _End:
    return pending.rate, pending.transfer.txid, pending.transfer.sender
