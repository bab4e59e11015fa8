"""Queries of a block tree that only tests need."""

from __future__ import annotations

from collections.abc import Iterator

from pychain.chain.header import Header
from pychain.ledger.tree import BlockTree, Entry


def add(tree: BlockTree, header: Header) -> Entry:
    """Insert a header whose parent is known and which every header rule has passed."""
    parent = tree.headers.find(header.prev_hash)
    assert parent is not None
    return tree.entry(tree.grow(header, parent), header)


def entries(tree: BlockTree) -> Iterator[Entry]:
    """Every entry, parents before children."""
    return map(tree.entry, range(len(tree.headers)))


def is_active(tree: BlockTree, entry: Entry) -> bool:
    """Whether a block is on the active chain."""
    return tree.tip.descends_from(entry)
