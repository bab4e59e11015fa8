"""From a transaction to its block: branches of the merkle tree that headers commit to (docs/consensus.md).

That tree hashes leaves and nodes alike, so its shape alone does not rule out three attacks:

- A node passed off as a transaction (CVE-2017-12842). A node's content is 64 bytes; the check decodes the transaction,
  and a transfer has at least 155.
- Something below a transaction passed off as one. So a branch must be no longer than the fullest block's.
- A second place of the same transaction (the duplicates of CVE-2012-2459). An odd last node is paired with itself; it
  is on the left, and a claim that it is on the right is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from pychain import native
from pychain.chain.header import HEADER_BYTES
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import MIN_TRANSACTION_BYTES, TRANSFER_BYTES
from pychain.stamps.errors import StampError


def branch_of(txids: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings on the way from one of a block's transactions to the root, lowest first."""
    branch = []
    level = list(txids)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        branch.append(level[index ^ 1])
        hashed = native.sha256d_records(b"".join(level), 64)
        level = [hashed[at : at + 32] for at in range(0, len(hashed), 32)]
        index //= 2
    return tuple(branch)


def fold_branch(txid: bytes, index: int, branch: Sequence[bytes]) -> bytes:
    """The root to which a branch leads. StampError if the index fits no block of the branch's depth."""
    if not 0 <= index < 1 << len(branch):
        raise StampError(f"the proof's index {index} is not in a tree of depth {len(branch)}")
    node = txid
    for sibling in branch:
        if index % 2 and sibling == node:
            raise StampError("the proof's branch claims the place of a doubled last node, which no block has")
        node = native.sha256d(sibling + node if index % 2 else node + sibling)
        index //= 2
    return node


def max_depth(spec: ChainSpec) -> int:
    """How deep the tree of a network's fullest block can be."""
    transfers = (spec.max_block_bytes - HEADER_BYTES - 1 - MIN_TRANSACTION_BYTES) // TRANSFER_BYTES
    return transfers.bit_length()
