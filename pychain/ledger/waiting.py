"""Orphan transfers, whose predecessors are missing, and early blocks, whose time is ahead of our clock.

Both pools are bounded. What is evicted is simply forgotten: its sender, or another peer, will offer it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pychain.chain.header import Header
from pychain.chain.transaction import Transfer
from pychain.ledger.mempool import MAX_PENDING_PER_ACCOUNT

MAX_WAITING_TRANSFERS = 2_000
"""All accounts together: under 2 MB even with the longest memos."""
MAX_WAITING_PER_PEER = 256
"""Sent by one peer: as many as can be requested from it at once."""
MAX_WAITING_PER_SEQUENCE = 4
"""For one account and sequence, from different peers."""
MAX_EARLY_BLOCKS = 64
"""consensus.md, "Time and difficulty"."""


class Waiting(NamedTuple):
    """A transfer with a sequence gap before it, and its source: a peer id, None for our own disk or mempool."""

    transfer: Transfer
    peer: int | None


class WaitingTransfers:
    """Transfers with a sequence gap before them. Their signatures are not checked yet, so anyone can forge them. Each
    peer may therefore have one per sequence and a bounded number in all, or one peer could fill the pool.
    """

    def __init__(self) -> None:
        self._by_sender: dict[bytes, dict[int, list[Waiting]]] = {}
        self._by_peer: dict[int | None, dict[bytes, None]] = {}
        self._order: dict[bytes, Waiting] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._order

    def senders_among(self, accounts: Iterable[bytes]) -> list[bytes]:
        """The accounts among these that have transfers waiting."""
        return [account for account in accounts if account in self._by_sender]

    def add(self, transfer: Transfer, peer: int | None) -> None:
        """Keep a transfer, unless there are enough for its sequence. If the pool is full, the peer's oldest one is
        evicted, or else the oldest of all. Our own are bounded only by the whole pool: they were paid for and checked.
        """
        mine = self._by_sender.get(transfer.sender, {})
        competing = mine.get(transfer.sequence, ())
        is_new_place = not competing and len(mine) < MAX_PENDING_PER_ACCOUNT
        may_compete = 0 < len(competing) < MAX_WAITING_PER_SEQUENCE and all(other.peer != peer for other in competing)
        if transfer.txid in self._order or not (is_new_place or may_compete):
            return
        waiting = Waiting(transfer, peer)
        self._by_sender.setdefault(transfer.sender, {}).setdefault(transfer.sequence, []).append(waiting)
        self._by_peer.setdefault(peer, {})[transfer.txid] = None
        self._order[transfer.txid] = waiting
        if peer is not None and len(self._by_peer[peer]) > MAX_WAITING_PER_PEER:
            self._remove(self._order[next(iter(self._by_peer[peer]))])
        elif len(self._order) > MAX_WAITING_TRANSFERS:
            self._remove(next(iter(self._order.values())))

    def take(self, sender: bytes, sequence: int) -> list[Waiting]:
        """Remove and return the sender's transfers with this sequence, in the order in which they came."""
        ready = list(self._by_sender.get(sender, {}).get(sequence, ()))
        for waiting in ready:
            self._remove(waiting)
        return ready

    def forget_used(self, sender: bytes, next_sequence: int) -> None:
        """Drop the sender's transfers whose sequences have been used: they can never be mined."""
        for sequence in [known for known in self._by_sender.get(sender, {}) if known < next_sequence]:
            self.take(sender, sequence)

    def _remove(self, waiting: Waiting) -> None:
        transfer, peer = waiting
        del self._order[transfer.txid]
        del self._by_peer[peer][transfer.txid]
        if not self._by_peer[peer]:
            del self._by_peer[peer]
        mine = self._by_sender[transfer.sender]
        mine[transfer.sequence].remove(waiting)
        if not mine[transfer.sequence]:
            del mine[transfer.sequence]
        if not mine:
            del self._by_sender[transfer.sender]


@dataclass(frozen=True, slots=True)
class EarlyBlock:
    """A header that is valid except for its time, its source (a peer id, None for one submitted here), and its body if
    that came with it.
    """

    header: Header
    peer: int | None
    raw: bytes | None


class EarlyBlocks:
    """Blocks too far ahead of our clock: kept and tried again later, never marked invalid."""

    def __init__(self, max_future_s: int) -> None:
        self._max_future_s = max_future_s
        self._blocks: dict[bytes, EarlyBlock] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def set_aside(self, early: EarlyBlock, wall_s: int) -> bool:
        """Keep a block for later; False if it is over twice max_future_s ahead, or the pool is full."""
        if early.header.time > wall_s + 2 * self._max_future_s:
            return False
        if early.header.hash not in self._blocks and len(self._blocks) >= MAX_EARLY_BLOCKS:
            return False
        known = self._blocks.get(early.header.hash)
        if known is None or known.raw is None:
            self._blocks[early.header.hash] = early
        return True

    def due(self, wall_s: int) -> list[EarlyBlock]:
        """Remove and return the blocks whose time has come, earliest first."""
        ready = [early for early in self._blocks.values() if early.header.time <= wall_s + self._max_future_s]
        for early in ready:
            del self._blocks[early.header.hash]
        return sorted(ready, key=lambda early: early.header.time)

    def next_wall_s(self) -> int | None:
        """The wall second at which the first block becomes due."""
        return min((early.header.time - self._max_future_s for early in self._blocks.values()), default=None)
