"""One digest for many files: the hash tree of RFC 9162 (Certificate Transparency) over their SHA-256 digests.

    leaf(d)    = SHA-256(0x00 | d)
    node(l, r) = SHA-256(0x01 | l | r)
    root of n leaves: the node over the first k and the other n - k, k the largest power of two below n

The first byte separates leaves and nodes, so no node can pass as a file's digest. A path is what must be hashed with a
leaf to reach the root: siblings from the bottom up, each with its side.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

LEAF, NODE = b"\x00", b"\x01"
MAX_FILES = 2**20
"""Files of one stamp: nobody would wait for more to be hashed, and paths stay within 20 steps."""
MAX_STEPS = 20


class Side(Enum):
    """The side of a sibling."""

    LEFT = "left"
    RIGHT = "right"


class Step(NamedTuple):
    """One step up."""

    side: Side
    sibling: bytes


def leaf_hash(digest: bytes) -> bytes:
    """The leaf of a file's digest."""
    return sha256(LEAF + digest).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two others."""
    return sha256(NODE + left + right).digest()


def root_and_paths(digests: Sequence[bytes]) -> tuple[bytes, list[tuple[Step, ...]]]:
    """The root over 1 to `MAX_FILES` digests, and each one's path to it."""
    assert 1 <= len(digests) <= MAX_FILES
    paths: list[list[Step]] = [[] for _ in digests]
    root = _grow([leaf_hash(digest) for digest in digests], paths, 0, len(digests))
    return root, [tuple(path) for path in paths]


def fold(digest: bytes, path: Sequence[Step]) -> bytes:
    """The root to which a digest's path leads."""
    node = leaf_hash(digest)
    for step in path:
        node = node_hash(step.sibling, node) if step.side is Side.LEFT else node_hash(node, step.sibling)
    return node


def _grow(leaves: Sequence[bytes], paths: Sequence[list[Step]], start: int, end: int) -> bytes:
    """The node over some of the leaves; their paths are lengthened up to it."""
    if end - start == 1:
        return leaves[start]
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    left, right = _grow(leaves, paths, start, middle), _grow(leaves, paths, middle, end)
    for place in range(start, end):
        paths[place].append(Step(Side.RIGHT, right) if place < middle else Step(Side.LEFT, left))
    return node_hash(left, right)
