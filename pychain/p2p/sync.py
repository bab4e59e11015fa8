"""Sync: headers first from one peer (`header_sync`), then blocks from all peers in parallel, in a window that moves
with the chain.

The manager tracks peers and requests; it sees the chain through a `SyncView`. When a peer stalls, its blocks are
requested from others; a peer that keeps stalling is disconnected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from pychain.base.time import Now, earliest
from pychain.p2p import limits
from pychain.p2p.header_sync import HeaderCheck, HeaderSync, HeaderView
from pychain.p2p.manager import Manager
from pychain.p2p.messages import GoodbyeCode, Kind, Want
from pychain.p2p.peer import Peer
from pychain.p2p.sources import Ranking, Source
from pychain.p2p.wire import Wire

_WINDOW = 2 * limits.SYNC_BLOCKS_MAX
"""Blocks planned ahead: enough that some are left to request while the maximum is in flight."""
_MAX_PASSED_OVER = 8
"""The search ends after this many planned blocks that no peer with room has."""


class SyncView(HeaderView, Protocol):
    """The chain as sync sees it. Hashes are raw block hashes, work is chain work as an integer."""

    def best_header(self) -> bytes:
        """The heaviest known header."""
        ...

    def missing_blocks(self, count: int) -> Sequence[bytes]:
        """The next blocks to fetch on the way to the best header, lowest first, at most `count`."""
        ...

    def damaged_blocks(self) -> Sequence[bytes]:
        """Blocks of any branch whose stored bodies are damaged and must be fetched again."""
        ...

    def is_missing(self, block_hash: bytes) -> bool:
        """Whether the block's body is still needed."""
        ...

    def is_on_chain(self, block_hash: bytes, tip_hash: bytes) -> bool:
        """Whether one known header is another or an ancestor of it."""
        ...

    def height(self, block_hash: bytes) -> int:
        """Height of a known header."""
        ...

    def reach(self, tip_hash: bytes) -> int:
        """Height of the last block that the chain to this known header shares with the chain to the best header."""
        ...

    def is_congested(self) -> bool:
        """Whether blocks arrive faster than they are verified and connected: fetch no more for now."""
        ...


class SyncManager(Manager):
    """Decides which headers and blocks to request from which peer."""

    def __init__(self, wire: Wire, view: SyncView, block_timeout_ns: int, max_block_bytes: int) -> None:
        """block_timeout_ns: the time that a peer has to deliver a block."""
        self._wire = wire
        self._view = view
        self._timeout_ns = block_timeout_ns
        self._peers: dict[int, Source] = {}
        self._busy: dict[int, Source] = {}
        """Peers with pending requests, now or before the last poll."""
        self._lacking: dict[int, Source] = {}
        """Peers that do not have some block."""
        self._headers = HeaderSync(wire, view, self._peers, self._busy)
        self._asked: dict[bytes, int] = {}
        self._plan: list[bytes] = []
        """Missing blocks that are not requested yet, highest first, as of the last look at the chain."""
        self._plan_is_stale = True
        self._competing: dict[bytes, None] = {}
        """Blocks of competing branches, which may become the best one."""
        self._usual_size = max_block_bytes
        """Moving average of block sizes; starts with the maximum."""

    # --- peers

    def peer_ready(self, peer: Peer, now: Now) -> None:
        assert peer.hello is not None
        self._peers[peer.peer_id] = Source(peer, int.from_bytes(peer.hello.tip_work, "big"))
        self._headers.reconsider()
        self.look()

    def peer_closed(self, peer: Peer, now: Now) -> None:
        """Release this peer's requests: the next poll asks others."""
        gone = self._peers.pop(peer.peer_id, None)
        self._busy.pop(peer.peer_id, None)
        self._lacking.pop(peer.peer_id, None)
        if gone is not None:
            for block_hash in gone.in_flight:
                del self._asked[block_hash]
            self.replan()

    def look(self) -> None:
        """Decide about requests at the end of this turn, because something relevant has changed."""
        self.wake(0)

    # --- headers

    def ask_headers(self, peer_id: int, now: Now) -> None:
        """Ask a peer for headers, because it announced something that does not connect to ours."""
        source = self._peers.get(peer_id)
        if source is not None:
            self._headers.ask(source, now)
            self.look()

    def headers_answered(self, peer_id: int) -> bool:
        """A headers message that may be an answer came; True if one was pending. `headers_checked` must follow."""
        source = self._peers.get(peer_id)
        return source is not None and self._headers.answered(source)

    def headers_checked(self, peer_id: int, result: HeaderCheck, now: Now) -> None:
        """A peer's headers have been checked."""
        source = self._peers.get(peer_id)
        if source is None:
            return
        self._headers.checked(source, result, now)
        if result.last is not None:
            source.lacks.clear()
            self.replan()
        self.look()

    # --- blocks

    def fetch(self, hashes: Iterable[bytes]) -> None:
        """Fetch these blocks too, although they do not lead to the best header."""
        self.look()
        for block_hash in hashes:
            self._competing[block_hash] = None
            if len(self._competing) > limits.SYNC_BLOCKS_A_PEER:
                del self._competing[next(iter(self._competing))]

    def was_asked(self, block_hash: bytes, peer_id: int) -> bool:
        """Whether a request for this block to this peer is pending."""
        source = self._peers.get(peer_id)
        return source is not None and block_hash in source.in_flight

    def block_arrived(self, block_hash: bytes, size: int, peer_id: int) -> None:
        """A body came in: it is not requested while it is verified."""
        source = self._peers.get(peer_id)
        if source is not None and block_hash in source.in_flight:  # only blocks that this peer was asked for count
            self._usual_size += (size - self._usual_size) // 8
            source.delivered()
        self._release(block_hash)
        self.look()

    def blocks_missing(self, peer_id: int, hashes: Iterable[bytes]) -> None:
        """A peer does not have these blocks after all, or sent a wrong body: ask others."""
        source = self._peers.get(peer_id)
        if source is None:
            return
        for block_hash in hashes:
            if block_hash in source.in_flight or self._view.is_missing(block_hash):
                source.lacks_block(block_hash)
                self._lacking[peer_id] = source
            if block_hash in source.in_flight:
                self._release(block_hash)
        self.replan()

    @property
    def in_flight(self) -> int:
        """Number of pending block requests."""
        return len(self._asked)

    def replan(self) -> None:
        """Drop the plan and look at the chain again, because other blocks may be needed."""
        self._plan.clear()
        self._plan_is_stale = True
        self._headers.reconsider()
        self.look()

    # --- time

    def poll(self, now: Now) -> None:
        """Give up requests that are overdue, then request what is needed next."""
        for peer_id, source in list(self._busy.items()):
            self._check_overdue(source, now)
            if not source.is_busy:
                self._busy.pop(peer_id, None)
        for peer_id, source in list(self._lacking.items()):
            self._check_lacks(peer_id, source, now)
        self._headers.ask_best(now)
        self._ask_for_blocks(now)

    def deadline(self) -> int | None:
        """When the first answer is overdue, or a peer may be asked again for blocks that it did not have."""
        sources = self._busy.values()
        return earliest(
            *(source.headers_due_ns for source in sources),
            *(source.due_ns(self._timeout_ns) for source in sources),
            *(source.asked_again_ns for source in self._lacking.values()),
        )

    def _check_lacks(self, peer_id: int, source: Source, now: Now) -> None:
        if source.asked_again_ns is None:
            source.asked_again_ns = now.mono_ns + limits.LACKS_NS
        elif now.mono_ns >= source.asked_again_ns:
            del self._lacking[peer_id]
            source.asked_again_ns = None
            source.lacks.clear()
            self.replan()

    def _check_overdue(self, source: Source, now: Now) -> None:
        self._headers.overdue(source, now)
        overdue = source.take_overdue(now.mono_ns, self._timeout_ns)
        if overdue:
            for block_hash in overdue:
                self._release(block_hash)
            self.replan()
            if source.stalls >= limits.SYNC_STALLS_MAX:
                seconds = limits.SYNC_STALLS_MAX * self._timeout_ns // 10**9
                text = f"no block came within {seconds} s of being asked for"
                self._wire.hang_up(source.peer.peer_id, GoodbyeCode.TIMEOUT, text)

    def _ask_for_blocks(self, now: Now) -> None:
        if self._view.is_congested() or not any(source.has_room for source in self._peers.values()):
            return
        room = max(limits.SYNC_BLOCKS_MIN, limits.SYNC_BYTES_IN_FLIGHT // max(1, self._usual_size))
        room = min(room, limits.SYNC_BLOCKS_MAX) - len(self._asked)
        has_looked = room > 0 and not self._plan and self._plan_is_stale
        if has_looked:
            self._look_ahead()
        apart = (*self._competing, *self._view.damaged_blocks())
        if not self._plan and not apart:
            return
        sources = [source for source in self._peers.values() if source.has_room]
        batches: dict[int, list[bytes]] = {}
        self._ask_apart(apart, sources, batches, now)
        self._ask_for_planned(sources, room, has_looked, batches, now)
        for peer_id, hashes in batches.items():
            self._wire.send(peer_id, Want(Kind.BLOCK, tuple(hashes)))

    def _ask_apart(
        self, hashes: Iterable[bytes], sources: list[Source], batches: dict[int, list[bytes]], now: Now
    ) -> None:
        """Request blocks that do not lead to the best header."""
        for block_hash in hashes:
            if self._is_wanted(block_hash):
                able = [source for source in sources if self._can_give(source, block_hash)]
                if not able:
                    continue
                self._assign(min(able, key=lambda source: source.rank), block_hash, batches, now)
            self._competing.pop(block_hash, None)

    def _ask_for_planned(
        self, sources: list[Source], room: int, has_looked: bool, batches: dict[int, list[bytes]], now: Now
    ) -> None:
        """Go through the plan from the lowest block, and request each from the best peer that has it."""
        ranked = Ranking((source, self._view.reach(source.best)) for source in sources if source.best is not None)
        passed_over: list[bytes] = []
        while room > 0 and ranked and len(passed_over) < _MAX_PASSED_OVER:
            if not self._plan:
                if has_looked or not self._plan_is_stale:  # another look in this turn would find the same
                    break
                self._look_ahead()
                has_looked = True
                continue
            block_hash = self._plan.pop()
            if not self._is_wanted(block_hash):
                continue
            source = ranked.take(block_hash, self._view.height(block_hash))
            if source is None:
                passed_over.append(block_hash)
                continue
            self._assign(source, block_hash, batches, now)
            ranked.put(source)
            room -= 1
        self._plan.extend(reversed(passed_over))

    def _look_ahead(self) -> None:
        """Plan the next window."""
        window = self._view.missing_blocks(_WINDOW)
        self._plan = list(reversed(window))
        self._plan_is_stale = not window or window[-1] != self._view.best_header()

    def _is_wanted(self, block_hash: bytes) -> bool:
        return block_hash not in self._asked and self._view.is_missing(block_hash)

    def _can_give(self, source: Source, block_hash: bytes) -> bool:
        has_it = source.best is not None and self._view.is_on_chain(block_hash, source.best)
        return has_it and source.has_room and block_hash not in source.lacks

    def _assign(self, source: Source, block_hash: bytes, batches: dict[int, list[bytes]], now: Now) -> None:
        """Put a block into the next request to this peer."""
        source.in_flight[block_hash] = now.mono_ns
        self._busy[source.peer.peer_id] = source
        self._asked[block_hash] = source.peer.peer_id
        batches.setdefault(source.peer.peer_id, []).append(block_hash)

    def _release(self, block_hash: bytes) -> None:
        """Drop the pending request for this block."""
        peer_id = self._asked.pop(block_hash, None)
        if peer_id is not None:
            self._peers[peer_id].in_flight.pop(block_hash, None)
