"""Hashes, and the merkle tree over the ids of a block's transactions."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def sha256d(data: bytes) -> bytes:
    """SHA-256 applied twice, in internal order."""
    return sha256(sha256(data).digest()).digest()


def merkle_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The tree from the leaves (at least one) to the root. An odd last node is not doubled in the lists themselves."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        nodes = levels[-1]
        paired = nodes + nodes[-1:] if len(nodes) % 2 else nodes
        levels.append([sha256d(paired[i] + paired[i + 1]) for i in range(0, len(paired), 2)])
    return levels


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    return merkle_levels(leaves)[-1][0]


def is_mutated(leaves: Sequence[bytes]) -> bool:
    """CVE-2012-2459: at some level two equal nodes form a pair, neither of them the copy that fills an odd level."""
    levels = merkle_levels(leaves)
    return any(nodes[i] == nodes[i + 1] for nodes in levels for i in range(0, len(nodes) - 1, 2))
