"""Peers as sources of blocks: how much each may be asked for at once, and who is asked first."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from pychain.p2p import limits
from pychain.p2p.header_states import HeaderState
from pychain.p2p.peer import Peer


class Source:
    """A peer as a source of headers and blocks.

    Its quota follows what it does: one more with each block that comes in time, half when one does not, as a
    congestion window (RFC 5681). So a slow peer holds few blocks up, and one that shows nothing still fewer.
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
        """Work that its chain has as it says; lowered to what it could show."""
        self.best: bytes | None = None
        """The heaviest header that it has shown and that we know."""
        self.headers = HeaderState.IDLE
        self.headers_due_ns: int | None = None
        """When the answer to a get_headers is overdue."""
        self.in_flight: dict[bytes, int] = {}
        """Blocks that it owes us, with the time of asking, oldest first."""
        self.lacks: dict[bytes, None] = {}
        """Blocks that it said it has not."""
        self.asked_again_ns: int | None = None
        """When it is asked for those again. What a disk has lost is fetched, so a peer may have it by then."""
        self.quota = limits.SYNC_BLOCKS_START
        self.has_delivered = False
        self.stalls = 0
        """Timeouts in a row in which nothing came."""
        self._stalled_ns: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether it can be asked for another block."""
        return self.best is not None and self.peer.is_open and len(self.in_flight) < self.quota

    @property
    def owes(self) -> bool:
        """Whether headers or blocks that it was asked for are not here yet."""
        return self.headers_due_ns is not None or bool(self.in_flight)

    @property
    def rank(self) -> tuple[int, bool, int, int]:
        """Sorts whom to ask first: the least stalled, strangers last (who chose us and gave us nothing yet), then the
        least loaded, then who came first.
        """
        is_unproven = self.peer.inbound and not self.has_delivered
        return self.stalls, is_unproven, len(self.in_flight), self.peer.peer_id

    def delivered(self) -> None:
        """A block that it owed is here in time."""
        self.has_delivered = True
        self.quota = min(self.quota + 1, limits.SYNC_BLOCKS_A_PEER)
        self.stalls = 0
        self._stalled_ns = None

    def lacks_block(self, block_hash: bytes) -> None:
        """It said that it has not this block, or sent something else for it."""
        self.lacks[block_hash] = None
        if len(self.lacks) > limits.SYNC_BLOCKS_MAX:
            del self.lacks[next(iter(self.lacks))]

    def due_ns(self, timeout_ns: int) -> int | None:
        """When the first block that it owes is overdue."""
        return next(iter(self.in_flight.values())) + timeout_ns if self.in_flight else None

    def take_overdue(self, mono_ns: int, timeout_ns: int) -> list[bytes]:
        """The blocks that it has owed for too long. They count as one stall in each span of the timeout."""
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
    """Sources with room, best first, while the blocks of one chain are given out from the lowest up."""

    def __init__(self, sources: Iterable[tuple[Source, int]]) -> None:
        """Each source with the height up to which it has this chain."""
        self._heap = [(source.rank, reach, source) for source, reach in sources]
        heapify(self._heap)
        self._reach = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def take(self, block_hash: bytes, height: int) -> Source | None:
        """Take out the best one that can give this block. One whose chain ends below it can give no later one either,
        and is not looked at again.
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
        """Put the one that was just taken back in its new place, if it can be asked for more."""
        if source.has_room:
            heappush(self._heap, (source.rank, self._reach, source))
