"""A store's header index read back: all headers in columns, and the path from genesis to the tip.

The index is sorted by height, so most of it is runs, where each header is the parent of the next. A run is checked by
comparing columns of bytes, without Python code per header.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

from pychain.chain.hashes import HASH_BYTES
from pychain.chain.header import HEADER_BYTES, Header, known_header
from pychain.ledger.store import IndexSlice

_PREV_HASH_AT = 4
_PREV_HASH = struct.Struct("4x32s44x")
_HASH = struct.Struct("32s")


class StoredIndex:
    """All headers of a store, by position; OSError if they are not a tree."""

    def __init__(self, slices: Iterable[IndexSlice]) -> None:
        self.raw = bytearray()
        self.hashes = bytearray()
        self.statuses = bytearray()
        self._starts: list[int] = []
        """Start of each run: a header whose parent is not the one before it."""
        for part in slices:
            self._take(part)

    def __len__(self) -> int:
        return len(self.statuses)

    def _take(self, part: IndexSlice) -> None:
        first = len(self)
        if self.prev_hash_in(part.raw, 0) != self.hashes[-HASH_BYTES:]:
            self._starts.append(first)
        if not _is_run(part):
            hashes = _HASH.iter_unpack(part.hashes[:-HASH_BYTES])
            parents = _PREV_HASH.iter_unpack(part.raw[HEADER_BYTES:])
            pairs = enumerate(zip(hashes, parents, strict=True), first + 1)
            self._starts += [at for at, (before, parent) in pairs if before != parent]
        self.raw += part.raw
        self.hashes += part.hashes
        self.statuses += part.statuses

    @staticmethod
    def prev_hash_in(raw: bytes | bytearray, at: int) -> bytes:
        start = HEADER_BYTES * at + _PREV_HASH_AT
        return bytes(raw[start : start + HASH_BYTES])

    def hash(self, at: int) -> bytes:
        return bytes(self.hashes[HASH_BYTES * at : HASH_BYTES * (at + 1)])

    def header(self, at: int) -> Header:
        return known_header(bytes(self.raw[HEADER_BYTES * at : HEADER_BYTES * (at + 1)]), self.hash(at))

    def path(self, tip_hash: bytes) -> list[range]:
        """The positions of the chain that ends at a hash, in ranges, genesis first."""
        pieces = []
        at = self._position(tip_hash, len(self))
        while True:
            start = self._starts[bisect_right(self._starts, at) - 1]
            pieces.append(range(start, at + 1))
            if start == 0:
                pieces.reverse()
                return pieces
            at = self._position(self.prev_hash_in(self.raw, start), start)

    def chain(self, pieces: list[range]) -> tuple[bytearray, bytearray, bytearray]:
        """Headers, hashes and statuses of a path, each concatenated."""
        if len(pieces) == 1 and len(pieces[0]) == len(self):
            return self.raw, self.hashes, self.statuses
        return (
            _cut(self.raw, pieces, HEADER_BYTES),
            _cut(self.hashes, pieces, HASH_BYTES),
            _cut(self.statuses, pieces, 1),
        )

    def gaps(self, pieces: list[range]) -> Iterator[int]:
        """All positions that are in none of the ranges."""
        ends = [range(0), *pieces, range(len(self), len(self))]
        for before, after in pairwise(ends):
            yield from range(before.stop, after.start)

    def _position(self, block_hash: bytes, before: int) -> int:
        """The last position before `before` that has this hash, usually close to it."""
        end = before * HASH_BYTES
        while (at := self.hashes.rfind(block_hash, 0, end)) >= 0:
            if not at % HASH_BYTES:
                return at // HASH_BYTES
            end = at + HASH_BYTES - 1
        raise OSError("the header index is damaged: a chain in it does not lead to genesis")


def _is_run(part: IndexSlice) -> bool:
    """Whether each header of the slice is the parent of the next. Compared by columns: the first byte of all, the
    second byte, and so on.
    """
    second = HEADER_BYTES + _PREV_HASH_AT
    return all(
        part.raw[second + column :: HEADER_BYTES] == part.hashes[column:-HASH_BYTES:HASH_BYTES]
        for column in range(HASH_BYTES)
    )


def _cut(column: bytearray, pieces: list[range], width: int) -> bytearray:
    return bytearray().join([column[width * piece.start : width * piece.stop] for piece in pieces])
