"""The chain as the peer protocol sees it: what is here, what is missing, and how blocks relate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pychain.ledger.tree import BlockTree, Entry
from pychain.node.activation import Activation
from pychain.node.bodies import Bodies
from pychain.node.transfers import TransferIntake
from pychain.p2p.messages import Kind

BEHIND_BLOCKS = 6
"""With a tip more than this many blocks below the best header, a node is syncing: it neither mines nor takes transfers.
"""
MAX_VERIFYING = 64
"""Blocks under verification at which no more are fetched: the workers are busy, and more would only fill memory."""


class ChainView:
    """Implements `p2p.relay.Inventory` and `p2p.sync.SyncView`."""

    def __init__(self, tree: BlockTree, bodies: Bodies, activation: Activation, transfers: TransferIntake) -> None:
        self._tree = tree
        self._bodies = bodies
        self._activation = activation
        self._transfers = transfers

    def is_behind(self) -> bool:
        """Whether the node is syncing: the best header is far ahead of the tip."""
        return self._tree.best_header.height - self._tree.tip.height > BEHIND_BLOCKS

    # --- Inventory

    def lacking(self, kind: Kind, hashes: Iterable[bytes]) -> list[bytes]:
        if kind is Kind.BLOCK:
            return [block_hash for block_hash in hashes if self._tree.get(block_hash) is None]
        return self._transfers.unknown(hashes)

    # --- SyncView

    def best_header(self) -> bytes:
        return self._tree.best_header.hash

    def best_header_work(self) -> int:
        return self._tree.best_header.work

    def locator(self, block_hash: bytes | None) -> Sequence[bytes]:
        entry = self._tree.best_header.parent if block_hash is None else self._tree.get(block_hash)
        return self._tree.locator(entry or self._tree.best_header)

    def missing_blocks(self, count: int) -> Sequence[bytes]:
        best = self._tree.best_header
        fork = self._tree.fork_point(best, self._tree.tip)
        first = self._first_unlinked(best, fork.height + 1)
        if first > best.height:
            return ()
        last = best.ancestor(min(best.height, first + count))
        way = self._tree.path(best.ancestor(first - 1), last)
        return [entry.hash for entry in way if not self._bodies.is_settled(entry)][:count]

    def _first_unlinked(self, best: Entry, low: int) -> int:
        """Height of the first block on the chain to `best` whose body, or an ancestor's, is missing (by bisection)."""
        high = best.height + 1
        while low < high:
            middle = (low + high) // 2
            if best.ancestor(middle).linked:
                low = middle + 1
            else:
                high = middle
        return low

    def damaged_blocks(self) -> Sequence[bytes]:
        return self._bodies.in_repair

    def is_missing(self, block_hash: bytes) -> bool:
        entry = self._tree.get(block_hash)
        return entry is not None and not entry.invalid and not self._bodies.is_settled(entry)

    def is_on_chain(self, block_hash: bytes, tip_hash: bytes) -> bool:
        entry, tip = self._tree.get(block_hash), self._tree.get(tip_hash)
        return entry is not None and tip is not None and tip.descends_from(entry)

    def height(self, block_hash: bytes) -> int:
        entry = self._tree.get(block_hash)
        assert entry is not None
        return entry.height

    def reach(self, tip_hash: bytes) -> int:
        entry = self._tree.get(tip_hash)
        return 0 if entry is None else self._tree.fork_point(entry, self._tree.best_header).height

    def work(self, block_hash: bytes) -> int:
        entry = self._tree.get(block_hash)
        return 0 if entry is None or entry.invalid else entry.work

    def is_congested(self) -> bool:
        return self._bodies.verifying >= MAX_VERIFYING or self._activation.is_held_up
