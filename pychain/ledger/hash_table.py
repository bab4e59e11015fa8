"""A table from hash to row number: open addressing, 8 to 16 bytes per row, and growth without a pause.

It stores no hashes: they are read from the rows. The slot comes from Python's own hash of the bytes (SipHash), keyed
with a secret of the process, so nobody can choose block hashes that collide.
"""

from __future__ import annotations

from array import array
from struct import Struct

from pychain.chain.hashes import HASH_BYTES

_HASH = Struct(f"{HASH_BYTES}s")
_LEAST_SLOTS = 256
_MOVED_PER_ROW = 4
"""Old rows that move to a larger table with each new row: all have moved long before that table is half full."""


class HashTable:
    """Row numbers by hash. Rows are added in order, 0, 1, 2, ..., and never removed."""

    def __init__(self, hashes: bytearray) -> None:
        """`hashes` are those of all rows, concatenated; a row is appended there before it is added here."""
        self._hashes = hashes
        self._slots = _empty(_LEAST_SLOTS)
        """Row number + 1 in its slot or, if that was taken, in the next free one; 0 in free slots."""
        self._smaller: array[int] | None = None
        """The previous table, until all its rows have moved."""
        self._moved = self._to_move = 0
        self._rows = 0

    def find(self, block_hash: bytes) -> int | None:
        """The row with this hash of 32 bytes."""
        row = self._find_in(self._slots, block_hash)
        return row if row is not None or self._smaller is None else self._find_in(self._smaller, block_hash)

    def add(self, block_hash: bytes) -> None:
        """Add the next row, whose hash no other row has."""
        if 2 * self._rows >= len(self._slots):
            assert self._smaller is None
            self._smaller, self._moved, self._to_move = self._slots, 0, self._rows
            self._slots = _empty(2 * len(self._slots))
        if self._smaller is not None:
            self._move()
        self._place(block_hash, self._rows)
        self._rows += 1

    def fill(self, count: int) -> None:
        """Add `count` rows at once to an empty table."""
        assert not self._rows
        size = _LEAST_SLOTS
        while size <= 2 * count:
            size *= 2
        slots, mask = _empty(size), size - 1
        for following, (block_hash,) in enumerate(_HASH.iter_unpack(bytes(self._hashes[: HASH_BYTES * count])), 1):
            slot = hash(block_hash) & mask
            while slots[slot]:
                slot = slot + 1 & mask
            slots[slot] = following
        self._slots, self._rows = slots, count

    def _find_in(self, slots: array[int], block_hash: bytes) -> int | None:
        mask = len(slots) - 1
        slot = hash(block_hash) & mask
        while following := slots[slot]:
            if self._hashes.startswith(block_hash, HASH_BYTES * (following - 1)):
                return following - 1
            slot = slot + 1 & mask
        return None

    def _place(self, block_hash: bytes, row: int) -> None:
        slots = self._slots
        mask = len(slots) - 1
        slot = hash(block_hash) & mask
        while slots[slot]:
            slot = slot + 1 & mask
        slots[slot] = row + 1

    def _move(self) -> None:
        end = min(self._moved + _MOVED_PER_ROW, self._to_move)
        for row in range(self._moved, end):
            (block_hash,) = _HASH.unpack_from(self._hashes, HASH_BYTES * row)
            self._place(block_hash, row)
        self._moved = end
        if end == self._to_move:
            self._smaller = None


def _empty(slots: int) -> array[int]:
    return array("I", (0,)) * slots
