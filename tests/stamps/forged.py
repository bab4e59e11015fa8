"""A chain with real proof of work and stamps in it, for the tests of proofs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from pychain.chain.block import Block
from pychain.consensus.rulebook import Rulebook
from pychain.stamps.branch import branch_of
from pychain.stamps.memo import Kind, Stamp, encode_memo
from pychain.stamps.proof import Proof
from pychain.stamps.tree import Step, root_and_paths
from tests.support.builder import ChainBuilder
from tests.support.keys import signer
from tests.support.network import GENESIS_TIME, Network

FILE = b"the contract"
FILES = [b"one", b"two", b"three", b"four", b"five"]
DIGEST = sha256(FILE).digest()
DIGESTS = [sha256(file).digest() for file in FILES]
ALICE = signer("alice")
HARD_BITS = 0x1F03FFFF
"""One hash in 2^14: a header that was changed by chance is none."""
NETWORK = Network(name="stamps", genesis_bits=HARD_BITS, retarget="asert", allocations=((ALICE.key, 10**9),))
BLOCK, BLOCKS = 6, 14
"""Where the stamps are, and how long the chain is."""
NOW = GENESIS_TIME + 3600
"""A clock by which no header is too far ahead."""


@dataclass(frozen=True)
class StampedChain:
    """Blocks from height 1 on; the one at `BLOCK` has both stamps among other transfers."""

    network: Network
    blocks: tuple[Block, ...]

    @cached_property
    def rulebook(self) -> Rulebook:
        return ChainBuilder(self.network).rulebook

    @cached_property
    def headers(self) -> bytes:
        return b"".join(block.header.raw for block in self.blocks)

    def proof(self, position: int, digest: bytes, path: tuple[Step, ...] | None, block: Block | None = None) -> Proof:
        """The proof of the transaction at that position in the block."""
        block = block or self.blocks[BLOCK - 1]
        txids = [transaction.txid for transaction in block.transactions]
        return Proof(
            self.network.genesis_hash,
            digest,
            path,
            block.transactions[position].raw,
            position,
            branch_of(txids, position),
            BLOCK,
            block.header.raw,
            self.headers,
        )

    @cached_property
    def single(self) -> Proof:
        """The proof of `FILE`, stamped alone."""
        return self.proof(2, DIGEST, None)

    @cached_property
    def many(self) -> list[Proof]:
        """The proofs of `FILES`, stamped together, by the last of an odd number of transactions."""
        return [self.proof(4, digest, path) for digest, path in zip(DIGESTS, root_and_paths(DIGESTS)[1], strict=True)]


def stamp_transfer(network: Network, sequence: int, stamp: Stamp) -> bytes:
    """A transfer from Alice's account to itself with that stamp."""
    return ALICE.transfer(network.genesis_hash, sequence, ALICE.key, 0, 0, encode_memo(stamp))


def build(network: Network = NETWORK, blocks: int = BLOCKS) -> StampedChain:
    """The chain."""
    builder = ChainBuilder(network)
    genesis = network.genesis_hash
    made = builder.chain(BLOCK - 1)
    transfers = [
        ALICE.transfer(genesis, 0, ALICE.key, 1),
        stamp_transfer(network, 1, Stamp(Kind.FILE, DIGEST)),
        ALICE.transfer(genesis, 2, ALICE.key, 2, memo=b"pychain"),
        stamp_transfer(network, 3, Stamp(Kind.TREE, root_and_paths(DIGESTS)[0])),
    ]
    made.append(builder.extend(transfers=transfers))
    made += builder.chain(blocks - BLOCK, builder.tip)
    return StampedChain(network, tuple(made))
