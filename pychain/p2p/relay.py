"""Relay: which peer knows which transactions and blocks, and announcing new ones to each peer once.

Blocks are announced at once, by their headers. Transactions are batched with a random delay, drawn for each peer and
batch, so that the order in which peers hear of one says little about where it came from. All peers share one list, in
which each has its position, so a new transaction costs the same with one peer or a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from pychain.base.entropy import Random
from pychain.base.rolling import RollingSet
from pychain.base.time import Now
from pychain.p2p import limits
from pychain.p2p.draws import exponential
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import FeeFilter, Fields, Headers, Inv, Kind
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire

_BATCHES_A_TURN = 16
"""Announcements made in one turn: a few milliseconds even at full length."""


class Inventory(Protocol):
    """The objects that the node has."""

    def lacking(self, kind: Kind, hashes: Iterable[bytes]) -> list[bytes]:
        """The objects that we neither hold nor have rejected recently or know to be invalid; in the given order."""
        ...


class NewBlock(NamedTuple):
    """A block that joined our active chain."""

    block_hash: bytes
    header: bytes
    """80 bytes."""


class _Listener:
    """One peer as a receiver of announcements."""

    __slots__ = ("fee_filter", "known", "place", "trickle_ns")

    def __init__(self, trickle_ns: int, place: int) -> None:
        self.trickle_ns = trickle_ns
        self.fee_filter = 0
        self.known: dict[Kind, RollingSet[bytes]] = {
            Kind.TRANSACTION: RollingSet(limits.KNOWN_TXS),
            Kind.BLOCK: RollingSet(limits.KNOWN_BLOCKS),
        }
        self.place = place
        """Number of the first transaction that it has not been told of."""


class _News:
    """The latest transactions, numbered, with their fees per kilobyte, oldest first: those of one account stay in the
    order of their sequences (the account's nonces)."""

    def __init__(self) -> None:
        self._first = 0
        self._news: list[tuple[bytes, int]] = []

    @property
    def end(self) -> int:
        """The number of the next transaction."""
        return self._first + len(self._news)

    def add(self, news: Iterable[tuple[bytes, int]]) -> None:
        """Append some, and drop the oldest in excess."""
        self._news += news
        if len(self._news) >= 2 * limits.MAX_ANNOUNCE_QUEUE:
            excess = len(self._news) - limits.MAX_ANNOUNCE_QUEUE
            del self._news[:excess]
            self._first += excess

    def since(self, place: int, count: int) -> tuple[Sequence[tuple[bytes, int]], int]:
        """Up to `count` from number `place` on, or from the oldest that is left; and the number after them."""
        start = max(place, self._first, self.end - limits.MAX_ANNOUNCE_QUEUE)
        return self._news[start - self._first : start - self._first + count], min(start + count, self.end)


class RelayManager(Manager):
    """Makes the node's announcements, and filters those of peers."""

    def __init__(self, wire: Wire, random: Random, inventory: Inventory) -> None:
        self._wire = wire
        self._random = random
        self._inventory = inventory
        self._listeners: dict[int, _Listener] = {}
        self._news = _News()
        self._timers: Timers[int] = Timers()

    def handlers(self) -> Mapping[type[Fields], Handler]:
        return {FeeFilter: self.on_fee_filter}

    def peer_ready(self, peer: Peer, now: Now) -> None:
        trickle_ns = limits.TRICKLE_INBOUND_NS if peer.inbound else limits.TRICKLE_OUTBOUND_NS
        self._listeners[peer.peer_id] = _Listener(trickle_ns, self._news.end)

    def peer_closed(self, peer: Peer, now: Now) -> None:
        self._listeners.pop(peer.peer_id, None)
        self._timers.cancel(peer.peer_id)

    def learned(self, peer_id: int, kind: Kind, hashes: Iterable[bytes]) -> None:
        """The peer has these objects: it sent or named them. They are not announced to it."""
        listener = self._listeners.get(peer_id)
        if listener is not None:
            listener.known[kind].update(hashes)

    def on_inv(self, peer_id: int, inv: Inv) -> list[bytes]:
        """Note what a peer has; returns the hashes that we do not have, each once and in the order of the inv."""
        listener = self._listeners.get(peer_id)
        if listener is None:
            return []
        hashes = dict.fromkeys(inv.hashes)
        listener.known[inv.kind].update(hashes)
        return self._inventory.lacking(inv.kind, hashes)

    def on_fee_filter(self, peer: Peer, message: FeeFilter, now: Now) -> None:
        """The peer wants no announcements of transactions that pay less."""
        listener = self._listeners.get(peer.peer_id)
        if listener is not None:
            listener.fee_filter = message.fee_per_kb

    def announce_transactions(self, news: Iterable[tuple[bytes, int]], now: Now) -> None:
        """Announce transactions, given with their fees per kilobyte, to the peers that do not know them: after a random
        delay, or at once where they fill a message, which hides their origin as well.
        """
        if not self._listeners:
            return
        self._news.add(news)
        for peer_id, listener in self._listeners.items():
            if self._news.end - listener.place >= limits.MAX_INV:
                self._start_timer(peer_id, now.mono_ns)
            elif peer_id not in self._timers:
                self._arm(peer_id, listener, now)

    def announce_blocks(self, blocks: Sequence[NewBlock]) -> None:
        """Announce the blocks that just joined our active chain to all peers at once, oldest first, the new tip last.
        Of more than `MAX_ANNOUNCED_HEADERS`, only the tip is announced.
        """
        for peer_id, listener in self._listeners.items():
            known = listener.known[Kind.BLOCK]
            # A peer that has a block has its ancestors.
            first = 1 + max((at for at, block in enumerate(blocks) if block.block_hash in known), default=-1)
            unknown = blocks[first:]
            if not unknown:
                continue
            if len(unknown) <= limits.MAX_ANNOUNCED_HEADERS:
                self._wire.send(peer_id, Headers(tuple(block.header for block in unknown)))
            else:
                self._wire.send(peer_id, Inv(Kind.BLOCK, (unknown[-1].block_hash,)))
            known.update(block.block_hash for block in unknown)

    def poll(self, now: Now) -> None:
        """Send the transaction announcements that are due."""
        for peer_id in islice(self._timers.due(now.mono_ns), _BATCHES_A_TURN):
            listener = self._listeners[peer_id]
            batch = self._take_batch(listener)
            if batch:
                self._wire.send(peer_id, Inv(Kind.TRANSACTION, tuple(batch)))
            if self._news.end - listener.place >= limits.MAX_INV:
                self._start_timer(peer_id, now.mono_ns)
            elif listener.place < self._news.end:
                self._arm(peer_id, listener, now)

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _arm(self, peer_id: int, listener: _Listener, now: Now) -> None:
        # Exponential delays are memoryless, so a timer that runs only while something is queued looks from outside
        # like one that always runs.
        self._start_timer(peer_id, now.mono_ns + exponential(self._random, listener.trickle_ns))

    def _start_timer(self, peer_id: int, at_ns: int) -> None:
        self._timers.set(peer_id, at_ns)
        self.wake(at_ns)

    def _take_batch(self, listener: _Listener) -> list[bytes]:
        """The next transactions to announce to a peer, without those that it knows or that have left the mempool."""
        known = listener.known[Kind.TRANSACTION]
        news, listener.place = self._news.since(listener.place, limits.MAX_INV)
        fresh = {txid: None for txid, fee_per_kb in news if fee_per_kb >= listener.fee_filter and txid not in known}
        gone = dict.fromkeys(self._inventory.lacking(Kind.TRANSACTION, fresh))
        batch = [txid for txid in fresh if txid not in gone] if gone else list(fresh)
        known.update(batch)
        return batch
