"""Block templates: what a miner works on. Each account's best-paying prefix is ranked, the best go in first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pychain import native
from pychain.chain.block import Block, new_block
from pychain.chain.header import HEADER_BYTES, new_header
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import COINBASE_BYTES, MAX_EXTRA_BYTES, Coinbase, Transfer, new_coinbase
from pychain.ledger.mempool import Pending

BLOCK_VERSION = 1
_FRAME_BYTES = HEADER_BYTES + 5 + COINBASE_BYTES + MAX_EXTRA_BYTES
"""Header, the longest count that a template can need, and the longest coinbase."""


@dataclass(frozen=True)
class BlockTemplate:
    """A block but for the coinbase's recipient and extra, the time and the nonce.

    time: the block's time at the moment of making; a miner may raise it, never lower it. max_time: the latest that
    peers take now. fees: of the transfers; coinbase_amount: subsidy and fees, what the coinbase must claim.
    """

    height: int
    prev_hash: bytes
    bits: int
    time: int
    min_time: int
    max_time: int
    coinbase_amount: int
    fees: int
    transfers: tuple[Transfer, ...]

    @property
    def target(self) -> int:
        return target_from_bits(self.bits)

    @cached_property
    def merkle_branch(self) -> tuple[bytes, ...]:
        """Siblings of the coinbase on the way to the root: the root is `fold_branch(coinbase txid, merkle_branch)`."""
        level = [b"", *[transfer.txid for transfer in self.transfers]]
        branch = []
        while len(level) > 1:
            branch.append(level[1])
            if len(level) % 2:
                level.append(level[-1])
            pairs = b"".join(level[2:])
            hashed = native.sha256d_records(pairs, 64)
            level = [b"", *[hashed[i : i + 32] for i in range(0, len(hashed), 32)]]
        return tuple(branch)

    def coinbase(self, recipient: bytes, extra: bytes) -> Coinbase:
        """The coinbase to `recipient` (32-byte key), `extra` being 32 to 100 bytes of the miner's choice."""
        return new_coinbase(self.height, recipient, self.coinbase_amount, extra)

    def header_prefix(self, coinbase: Coinbase, time: int, version: int = BLOCK_VERSION) -> bytes:
        """The 80 header bytes with nonce 0."""
        root = fold_branch(coinbase.txid, self.merkle_branch)
        return new_header(version, self.prev_hash, root, time, self.bits, 0).raw

    def block(self, coinbase: Coinbase, time: int, nonce: int, version: int = BLOCK_VERSION) -> Block:
        """The whole block."""
        root = fold_branch(coinbase.txid, self.merkle_branch)
        header = new_header(version, self.prev_hash, root, time, self.bits, nonce)
        return new_block(header, (coinbase, *self.transfers))


def fold_branch(leaf: bytes, branch: Iterable[bytes]) -> bytes:
    """The merkle root over the leftmost leaf and its siblings, lowest first."""
    node = leaf
    for sibling in branch:
        node = native.sha256d(node + sibling)
    return node


def select_transfers(queues: Iterable[Sequence[Pending]], max_block_bytes: int) -> tuple[Transfer, ...]:
    """The transfers of a block of at most `max_block_bytes`, ranked by each account's best-paying prefix.

    A prefix that does not fit ends its account's turn; ties go to the order of `queues`, so the choice is
    deterministic.
    """
    room = max_block_bytes - _FRAME_BYTES
    ranked: list[tuple[int, int, int, int, Sequence[Pending]]] = []
    for order, queue in enumerate(queues):
        rate, end = best_prefix(queue, 0)
        ranked.append((-rate, order, 0, end, queue))
    heapq.heapify(ranked)
    chosen: list[Transfer] = []
    while ranked:
        _, order, start, end, queue = heapq.heappop(ranked)
        size = sum(len(pending.transfer.raw) for pending in queue[start:end])
        if size > room:
            continue
        room -= size
        chosen.extend(pending.transfer for pending in queue[start:end])
        if end < len(queue):
            rate, following = best_prefix(queue, end)
            heapq.heappush(ranked, (-rate, order, end, following, queue))
    return tuple(chosen)


def best_prefix(queue: Sequence[Pending], start: int) -> tuple[int, int]:
    """(fee in base units a 1,000 bytes, end) of the best-paying run of a queue from `start` on; the longest among
    equals.
    """
    best_rate, best_end = -1, start
    fees = size = 0
    for end in range(start, len(queue)):
        transfer = queue[end].transfer
        fees += transfer.fee
        size += len(transfer.raw)
        rate = fees * 1000 // size
        if rate >= best_rate:
            best_rate, best_end = rate, end + 1
    return best_rate, best_end
