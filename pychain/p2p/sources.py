"""Peers as sources of blocks: how many blocks each may be asked for, and which peer is asked first."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from pychain.p2p import limits
from pychain.p2p.header_states import HeaderState
from pychain.p2p.peer import Peer


class Source:
    """A peer as a source of headers and blocks.

    Its quota works like a congestion window (RFC 5681): it grows by one with each block that comes in time, and halves
    at a timeout. So a slow peer holds up few blocks, and a new one even fewer.
    """

    __slots__ = (
        "_stalled_ns",
        "asked_again_ns",
        "best",
        "claimed_work",
        "has_delivered",
        "headers",
        "headers_due_ns",
        "in_flight",
        "lacks",
        "peer",
        "quota",
        "stalls",
    )

    def __init__(self, peer: Peer, claimed_work: int) -> None:
        self.peer = peer
        self.claimed_work = claimed_work
        """Work that its chain has by its own claim; lowered to what it has shown."""
        self.best: bytes | None = None
        """The heaviest known header that it has shown."""
        self.headers = HeaderState.IDLE
        self.headers_due_ns: int | None = None
        """When the answer to a get_headers is overdue."""
        self.in_flight: dict[bytes, int] = {}
        """Blocks requested from it, with the time of the request, oldest first."""
        self.lacks: dict[bytes, None] = {}
        """Blocks that it does not have."""
        self.asked_again_ns: int | None = None
        """When it may be asked for those again: a peer fetches blocks that its disk has lost, so it may have them."""
        self.quota = limits.SYNC_BLOCKS_START
        self.has_delivered = False
        self.stalls = 0
        """Consecutive timeouts in which nothing came."""
        self._stalled_ns: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether it can be asked for another block."""
        return self.best is not None and self.peer.is_open and len(self.in_flight) < self.quota

    @property
    def is_busy(self) -> bool:
        """Whether requests for headers or blocks are pending."""
        return self.headers_due_ns is not None or bool(self.in_flight)

    @property
    def rank(self) -> tuple[int, bool, int, int]:
        """Sort key, best first: the least stalled, with inbound peers last until they have delivered a block, then the
        least loaded, then the longest connected.
        """
        is_unproven = self.peer.inbound and not self.has_delivered
        return self.stalls, is_unproven, len(self.in_flight), self.peer.peer_id

    def delivered(self) -> None:
        """It delivered a requested block in time."""
        self.has_delivered = True
        self.quota = min(self.quota + 1, limits.SYNC_BLOCKS_A_PEER)
        self.stalls = 0
        self._stalled_ns = None

    def lacks_block(self, block_hash: bytes) -> None:
        """It does not have this block, or sent a wrong body for it."""
        self.lacks[block_hash] = None
        if len(self.lacks) > limits.SYNC_BLOCKS_MAX:
            del self.lacks[next(iter(self.lacks))]

    def due_ns(self, timeout_ns: int) -> int | None:
        """When the first requested block is overdue."""
        return next(iter(self.in_flight.values())) + timeout_ns if self.in_flight else None

    def take_overdue(self, mono_ns: int, timeout_ns: int) -> list[bytes]:
        """The requested blocks that are overdue. They count as at most one stall per timeout."""
        overdue = []
        for block_hash, asked_ns in self.in_flight.items():
            if mono_ns < asked_ns + timeout_ns:
                break
            overdue.append(block_hash)
        if overdue and (self._stalled_ns is None or mono_ns >= self._stalled_ns + timeout_ns):
            self.quota = max(1, self.quota // 2)
            self.stalls += 1
            self._stalled_ns = mono_ns
        return overdue


class Ranking:
    """Sources with room, best first, while the blocks of one chain are assigned from the lowest up."""

    def __init__(self, sources: Iterable[tuple[Source, int]]) -> None:
        """`sources`: each with the height up to which it has this chain."""
        self._heap = [(source.rank, reach, source) for source, reach in sources]
        heapify(self._heap)
        self._reach = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def take(self, block_hash: bytes, height: int) -> Source | None:
        """Take the best source that has this block. A source whose chain ends below it has no later block either, and
        is dropped.
        """
        lacking = []
        found: Source | None = None
        while self._heap and found is None:
            entry = heappop(self._heap)
            _, reach, source = entry
            if block_hash in source.lacks:
                lacking.append(entry)
            elif reach >= height:
                found, self._reach = source, reach
        for entry in lacking:
            heappush(self._heap, entry)
        return found

    def put(self, source: Source) -> None:
        """Put the source that was just taken back at its new rank, if it can be asked for more."""
        if source.has_room:
            heappush(self._heap, (source.rank, self._reach, source))
