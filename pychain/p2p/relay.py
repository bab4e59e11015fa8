"""Gossip: who knows which transaction and block, and telling each peer once of what is new.

Blocks are announced at once, by their headers. Transactions wait a random moment, drawn for each peer anew, and go
out together: so the order in which peers hear of one says little about where it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from pychain.base.entropy import Random
from pychain.base.time import Now
from pychain.p2p import limits
from pychain.p2p.draws import exponential
from pychain.p2p.messages import Headers, Inv, Kind
from pychain.p2p.peer import Peer
from pychain.p2p.rolling import RollingSet
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire

_BATCHES_A_TURN = 16
"""Announcements put together in one turn, a few milliseconds even if each is as long as may be."""


class Inventory(Protocol):
    """What the node has; the ledger answers."""

    def has(self, kind: Kind, object_hash: bytes) -> bool:
        """Whether we hold this object, or know that we do not want it (rejected a moment ago, known invalid)."""
        ...


class NewBlock(NamedTuple):
    """A block that joined our active chain."""

    block_hash: bytes
    header: bytes
    """80 bytes."""


class _Listener:
    """One peer as a receiver of announcements."""

    __slots__ = ("fee_filter", "known", "queue", "trickle_ns")

    def __init__(self, trickle_ns: int) -> None:
        self.trickle_ns = trickle_ns
        self.fee_filter = 0
        self.known: dict[Kind, RollingSet[bytes]] = {
            Kind.TRANSACTION: RollingSet(limits.KNOWN_TXS),
            Kind.BLOCK: RollingSet(limits.KNOWN_BLOCKS),
        }
        self.queue: dict[bytes, int] = {}
        """Transactions to announce, with their fees per kilobyte, oldest first: an account's stay in sequence."""


class RelayManager:
    """Announces what the node tells it of, and sorts what peers announce."""

    def __init__(self, wire: Wire, random: Random, inventory: Inventory) -> None:
        self._wire = wire
        self._random = random
        self._inventory = inventory
        self._listeners: dict[int, _Listener] = {}
        self._timers: Timers[int] = Timers()

    def peer_ready(self, peer: Peer) -> None:
        self._listeners[peer.peer_id] = _Listener(
            limits.TRICKLE_INBOUND_NS if peer.inbound else limits.TRICKLE_OUTBOUND_NS
        )

    def peer_closed(self, peer_id: int) -> None:
        self._listeners.pop(peer_id, None)
        self._timers.cancel(peer_id)

    def learned(self, peer_id: int, kind: Kind, object_hash: bytes) -> None:
        """The peer has this object: it came from him, or he named it. He will not be told of it."""
        listener = self._listeners.get(peer_id)
        if listener is not None:
            listener.known[kind].add(object_hash)

    def knows(self, peer_id: int, kind: Kind, object_hash: bytes) -> bool:
        """Whether the peer has told us of this object, or we him."""
        listener = self._listeners.get(peer_id)
        return listener is not None and object_hash in listener.known[kind]

    def on_inv(self, peer_id: int, inv: Inv) -> list[bytes]:
        """Note what a peer has; returns, each once and in his order, the hashes that we have not."""
        listener = self._listeners.get(peer_id)
        if listener is None:
            return []
        known = listener.known[inv.kind]
        hashes = dict.fromkeys(inv.hashes)
        for object_hash in hashes:
            known.add(object_hash)
        return [object_hash for object_hash in hashes if not self._inventory.has(inv.kind, object_hash)]

    def on_fee_filter(self, peer_id: int, fee_per_kb: int) -> None:
        """The peer wants no announcement of transactions that pay less."""
        listener = self._listeners.get(peer_id)
        if listener is not None:
            listener.fee_filter = fee_per_kb

    def announce_transaction(self, txid: bytes, fee_per_kb: int, now: Now) -> None:
        """Tell every peer who does not know this transaction, each after a random moment."""
        for peer_id, listener in self._listeners.items():
            if (
                txid in listener.known[Kind.TRANSACTION]
                or fee_per_kb < listener.fee_filter
                or len(listener.queue) >= limits.MAX_ANNOUNCE_QUEUE
            ):
                continue
            listener.queue[txid] = fee_per_kb
            if peer_id not in self._timers:
                self._arm(peer_id, listener, now)

    def announce_blocks(self, blocks: Sequence[NewBlock]) -> None:
        """Tell every peer at once of the blocks that just joined our active chain, oldest first, the new tip last. Of
        many, the last ones are enough: beyond `MAX_ANNOUNCED_HEADERS` the tip alone is told.
        """
        for peer_id, listener in self._listeners.items():
            known = listener.known[Kind.BLOCK]
            # Who has a block has its ancestors.
            first = 1 + max((at for at, block in enumerate(blocks) if block.block_hash in known), default=-1)
            unknown = blocks[first:]
            if not unknown:
                continue
            if len(unknown) <= limits.MAX_ANNOUNCED_HEADERS:
                self._wire.send(peer_id, Headers(tuple(block.header for block in unknown)))
            else:
                self._wire.send(peer_id, Inv(Kind.BLOCK, (unknown[-1].block_hash,)))
            for block in unknown:
                known.add(block.block_hash)

    def poll(self, now: Now) -> None:
        """Send the transaction announcements whose moment has come."""
        for peer_id in islice(self._timers.due(now.mono_ns), _BATCHES_A_TURN):
            listener = self._listeners[peer_id]
            batch = self._take_batch(listener)
            if batch:
                self._wire.send(peer_id, Inv(Kind.TRANSACTION, tuple(batch)))
            if listener.queue:
                self._arm(peer_id, listener, now)

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _arm(self, peer_id: int, listener: _Listener, now: Now) -> None:
        # An exponential wait has no memory, so a timer that runs only while something waits looks from outside like
        # one that always runs.
        self._timers.set(peer_id, now.mono_ns + exponential(self._random, listener.trickle_ns))

    def _take_batch(self, listener: _Listener) -> list[bytes]:
        """What the peer still should hear, up to one message; what events have overtaken is dropped from the queue."""
        batch: list[bytes] = []
        passed: list[bytes] = []
        known = listener.known[Kind.TRANSACTION]
        for txid, fee_per_kb in listener.queue.items():
            if len(batch) == limits.MAX_INV:
                break
            passed.append(txid)
            if txid not in known and fee_per_kb >= listener.fee_filter and self._inventory.has(Kind.TRANSACTION, txid):
                batch.append(txid)
        for txid in passed:
            del listener.queue[txid]
        for txid in batch:
            known.add(txid)
        return batch
