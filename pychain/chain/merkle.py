"""Merkle branches: the root above a block's leftmost leaf, from its siblings alone."""

from __future__ import annotations

from collections.abc import Iterable

from pychain import native


def fold_branch(leaf: bytes, branch: Iterable[bytes]) -> bytes:
    """The merkle root over the leftmost leaf (its 32-byte hash) and its siblings, lowest first."""
    node = leaf
    for sibling in branch:
        node = native.sha256d(node + sibling)
    return node
