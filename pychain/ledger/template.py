"""Block templates for miners, and the selection of their transfers."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from pychain import native
from pychain.chain.block import Block, new_block
from pychain.chain.header import HEADER_BYTES, new_header
from pychain.chain.merkle import fold_branch
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import COINBASE_BYTES, MAX_EXTRA_BYTES, TRANSFER_BYTES, Coinbase, Transfer, new_coinbase
from pychain.consensus.contextual import least_time, template_time
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.subsidy import subsidy
from pychain.ledger.entry import Entry, EntryBranch
from pychain.ledger.pending import Queue

BLOCK_VERSION = 1
_FRAME_BYTES = HEADER_BYTES + 5 + COINBASE_BYTES + MAX_EXTRA_BYTES
"""Header, the longest transaction count that a template can need, and the longest coinbase."""
MAX_MISSES = 1_000
"""After this many consecutive chunks that did not fit, a block is full enough (Bitcoin Core's bound)."""
_RATE_BITS = 32
"""Fractional bits of a rate, so that rounding does not affect the order."""

Chunk = tuple[int, int, int, int]
"""A run of a queue: start, end, total fees, total bytes. A plain tuple, since there are many."""


@dataclass(frozen=True)
class BlockTemplate:
    """A block without the coinbase's recipient and extra, the final time and the nonce.

    time: the block's time when the template was made; a miner may raise it, never lower it. max_time: the latest that
    peers accept now. fees: of the transfers; coinbase_amount: subsidy and fees, which the coinbase must claim.
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
        """The coinbase's merkle branch: the root is `fold_branch(coinbase txid, merkle_branch)`."""
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
        """The coinbase to `recipient` (32-byte key), with 32 to 100 bytes of `extra` of the miner's choice."""
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


def template_on(
    rulebook: Rulebook, parent: Entry, wall_s: int, transfers: tuple[Transfer, ...] = (), fees: int = 0
) -> BlockTemplate:
    """A template on any known block, at the miner's wall time. The transfers must be valid there, and pay `fees`."""
    spec, branch, height = rulebook.spec, EntryBranch(parent), parent.height + 1
    return BlockTemplate(
        height=height,
        prev_hash=parent.hash,
        bits=rulebook.next_bits(branch),
        time=template_time(rulebook, branch, wall_s),
        min_time=least_time(rulebook, branch),
        max_time=wall_s + spec.max_future_s,
        coinbase_amount=subsidy(spec, height) + fees,
        fees=fees,
        transfers=transfers,
    )


class Selection:
    """The transfers of one block, selected in slices: call `advance` until it returns True, then read `transfers`.

    A queue is split into chunks: the best-paying run from its start, the best-paying run from there, and so on, so
    their rates only fall. The best chunks of all queues go in first, the earlier queue's among equals, so the choice
    is deterministic. If a chunk does not fit, the part of its queue that still fits is ranked again.
    """

    def __init__(self, queues: Iterable[Queue], max_block_bytes: int) -> None:
        self._unranked = enumerate(queues)
        self._ranked: list[tuple[int, int, list[Chunk], Queue]] = []
        self._room = max_block_bytes - _FRAME_BYTES
        self._misses = 0
        self.transfers: list[Transfer] = []
        self.fees = 0
        """Fees of the transfers selected so far."""
        self.is_made = False

    def advance(self, budget: int) -> bool:
        """Look at about `budget` more transfers; True when the selection is complete."""
        for order, queue in self._unranked:
            self._rank(order, chunks_of(queue), queue)
            budget -= 1 + len(queue)
            if budget <= 0:
                return False
        while self._ranked and self._room >= TRANSFER_BYTES and self._misses < MAX_MISSES:
            budget -= self._take_best()
            if budget <= 0:
                return False
        self.is_made = True
        return True

    def _rank(self, order: int, chunks: list[Chunk], queue: Queue) -> None:
        if chunks:
            _, _, fees, size = chunks[-1]
            heapq.heappush(self._ranked, (-((fees << _RATE_BITS) // size), order, chunks, queue))

    def _take_best(self) -> int:
        """Take the best chunk if it fits; returns how many transfers were looked at."""
        _, order, chunks, queue = heapq.heappop(self._ranked)
        start, end, fees, size = chunks.pop()
        if size <= self._room:
            self._misses = 0
            self._room -= size
            self.fees += fees
            self.transfers.extend([pending.transfer for pending in queue[start:end]])
            self._rank(order, chunks, queue)
            return 1 + end - start
        self._misses += 1
        fitting, size = start, len(queue[start].transfer.raw)
        while size <= self._room:
            fitting += 1
            size += len(queue[fitting].transfer.raw)
        self._rank(order, chunks_of(queue[:fitting], start), queue)
        return 2 + fitting - start


def chunks_of(queue: Queue, start: int = 0) -> list[Chunk]:
    """The chunks of a queue from `start` on, last one first: each is merged with those before it that pay no more."""
    chunks: list[Chunk] = []
    for place in range(start, len(queue)):
        transfer = queue[place].transfer
        first, fees, size = place, transfer.fee, len(transfer.raw)
        while chunks and chunks[-1][2] * size <= fees * chunks[-1][3]:
            first, _, fees_before, size_before = chunks.pop()
            fees += fees_before
            size += size_before
        chunks.append((first, place + 1, fees, size))
    chunks.reverse()
    return chunks
