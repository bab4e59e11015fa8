"""The header index in columns: all that a node knows of a header in some 125 bytes, where an object would take 600.

A header is a row, and rows are numbered as headers become known, parents before children. The first rows of the index
are mostly one chain without a branch, so that a row's number is its height and the row before it its parent: of this
*base* nothing more need be kept, and its ancestors are found in one step. Rows beyond it have a parent, a height and a
skip of their own.

    genesis  1  2 ... 98  99 | 100  101  102 ...        rows
    |---------- base --------|  `- parent, height, skip each
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator

from pychain.chain.hashes import HASH_BYTES
from pychain.chain.header import HEADER_BYTES, Header, known_header
from pychain.chain.target import work_from_bits
from pychain.ledger.hash_table import HashTable
from pychain.ledger.store import IndexRecord, Status

LINKED = 1 << 6
"""Bodies are here from genesis to this block."""
INVALID_BRANCH = 1 << 7
"""This block or an ancestor of it is invalid."""
_STATUS_MASK = 0x0F
_STATUSES = tuple(Status(value) for value in range(_STATUS_MASK + 1))

_U32 = struct.Struct("<I")
_PREV_HASH_AT, _BITS_AT = 4, 72
_BITS = struct.Struct("<72xI4x")

_MARK_EVERY = 32
"""Heights between two rows whose chain work is kept; between them it is added up, in some microseconds."""
_HELD_WORKS = 4096


class PackedHeaders:
    """All known headers by row. Genesis is row 0."""

    def __init__(self, genesis: Header) -> None:
        self._raw = bytearray(genesis.raw)
        self._hashes = bytearray(genesis.hash)
        self._state = bytearray(1)
        """Status, LINKED and INVALID_BRANCH of each row."""
        self._arrivals = array("I", (0,))
        self._base = 1
        """Rows below this one are their own heights."""
        self._parents = array("I")
        self._heights = array("I")
        self._skips = array("I")
        self._branches: dict[int, list[int]] = {}
        """The children of a row but for the row after it."""
        work = work_from_bits(genesis.bits)
        self._leaves: dict[int, int] = {0: work}
        """Rows without children: chain work."""
        self._marks: dict[int, int] = {0: work}
        """Chain work of rows at every so many heights."""
        self._works: dict[int, int] = {}
        """Chain work of rows that were asked for of late: neighbours are asked for next."""
        self._rows = HashTable(self._hashes)
        self._rows.add(genesis.hash)

    def __len__(self) -> int:
        return len(self._state)

    # --- growing

    def add(self, header: Header, parent: int) -> int:
        """A header that is not there yet, on its parent's row. Returns its own row."""
        row = len(self._state)
        height = self.height(parent) + 1
        work = self.work(parent) + work_from_bits(header.bits)
        if row == self._base == height and parent == row - 1:
            self._base += 1
        else:
            self._parents.append(parent)
            self._heights.append(height)
            self._skips.append(self.ancestor(parent, skip_height(height)))
        if parent != row - 1:
            self._branches.setdefault(parent, []).append(row)
        self._leaves.pop(parent, None)
        self._leaves[row] = work
        if not height % _MARK_EVERY:
            self._marks[row] = work
        self._raw += header.raw
        self._hashes += header.hash
        self._state.append(self._state[parent] & INVALID_BRANCH)
        self._arrivals.append(0)
        self._rows.add(header.hash)
        return row

    def fill(self, raw: bytearray, hashes: bytes | bytearray, state: bytearray) -> None:
        """Many headers at once, into an index of genesis alone: a chain from genesis on, which becomes the base.

        Headers, hashes and states lie back to back; `raw` and `state` are taken over. That they are a chain is for the
        caller to see.
        """
        assert len(self) == 1
        count = len(state)
        self._raw, self._hashes, self._state = raw, bytearray(hashes), state
        self._arrivals = array("I", (0,)) * count
        self._base = count
        work, last_bits, of_one = 0, -1, 0
        for height, (bits,) in enumerate(_BITS.iter_unpack(raw)):
            if bits != last_bits:
                last_bits, of_one = bits, work_from_bits(bits)
            work += of_one
            if not height % _MARK_EVERY:
                self._marks[height] = work
        self._leaves = {count - 1: work}
        self._rows = HashTable(self._hashes)
        self._rows.fill(count)

    # --- one row

    def find(self, block_hash: bytes) -> int | None:
        """The row of a hash."""
        return self._rows.find(block_hash)

    def hash(self, row: int) -> bytes:
        return bytes(self._hashes[HASH_BYTES * row : HASH_BYTES * row + HASH_BYTES])

    def prev_hash(self, row: int) -> bytes:
        start = HEADER_BYTES * row + _PREV_HASH_AT
        return bytes(self._raw[start : start + HASH_BYTES])

    def raw(self, row: int) -> bytes:
        """The header's 80 bytes."""
        return bytes(self._raw[HEADER_BYTES * row : HEADER_BYTES * row + HEADER_BYTES])

    def header(self, row: int) -> Header:
        return known_header(self.raw(row), self.hash(row))

    def records(self, rows: Iterable[int]) -> list[IndexRecord]:
        """The form in which the store keeps them."""
        hashes, raw, heights, base, state = self._hashes, self._raw, self._heights, self._base, self._state
        return [
            IndexRecord(
                row if row < base else heights[row - base],
                bytes(hashes[HASH_BYTES * row : HASH_BYTES * row + HASH_BYTES]),
                bytes(raw[HEADER_BYTES * row : HEADER_BYTES * row + HEADER_BYTES]),
                state[row] & _STATUS_MASK,
            )
            for row in rows
        ]

    def bits(self, row: int) -> int:
        (bits,) = _U32.unpack_from(self._raw, HEADER_BYTES * row + _BITS_AT)
        return int(bits)

    def height(self, row: int) -> int:
        return row if row < self._base else self._heights[row - self._base]

    def parent(self, row: int) -> int:
        """The parent's row, -1 for genesis."""
        return row - 1 if row < self._base else self._parents[row - self._base]

    def work(self, row: int) -> int:
        """Chain work from genesis to here."""
        found = self._leaves.get(row) or self._marks.get(row) or self._works.get(row)
        if found is not None:
            return found
        work, below = 0, row
        while found is None:
            work += work_from_bits(self.bits(below))
            below = self.parent(below)
            found = self._marks.get(below) or self._works.get(below)
        if len(self._works) >= _HELD_WORKS:
            self._works.clear()
        self._works[row] = found + work
        return found + work

    def children(self, row: int) -> list[int]:
        """In the order in which they became known."""
        branches = self._branches.get(row, [])
        return [row + 1, *branches] if self._is_parent_of_next(row) else list(branches)

    def leaves(self) -> list[int]:
        """The rows without children."""
        return list(self._leaves)

    def is_leaf(self, row: int) -> bool:
        return row in self._leaves

    def _is_parent_of_next(self, row: int) -> bool:
        following = row + 1
        if following < self._base:
            return True
        return following < len(self._state) and self._parents[following - self._base] == row

    # --- what is known of a block

    def status(self, row: int) -> Status:
        return _STATUSES[self._state[row] & _STATUS_MASK]

    def has(self, row: int, bits: int) -> bool:
        """Are all of these set: bits of `Status`, LINKED, INVALID_BRANCH?"""
        return self._state[row] & bits == bits

    def set(self, row: int, bits: int) -> bool:
        """Set them; False where they all were."""
        before = self._state[row]
        self._state[row] = before | bits
        return before & bits != bits

    def clear(self, row: int, bits: int) -> None:
        self._state[row] &= ~bits

    def link(self, row: int, arrival: int) -> None:
        """The block became linked, as the one of this number."""
        self._state[row] |= LINKED
        self._arrivals[row] = arrival

    def rows_with(self, bits: int) -> list[int]:
        """All rows in which all of these are set."""
        marks = self._state.translate(bytes(state & bits == bits for state in range(256)))
        rows, row = [], -1
        while (row := marks.find(1, row + 1)) >= 0:
            rows.append(row)
        return rows

    def arrival(self, row: int) -> int:
        """The place of the block among those that became linked; 0 where that was before this index."""
        return self._arrivals[row]

    # --- walks

    def ancestor(self, row: int, height: int) -> int:
        """The row at `height` (0 to this one's own) on the way to genesis, in a logarithmic number of steps."""
        base = self._base
        while row >= base:
            own = self._heights[row - base]
            if own == height:
                return row
            row = self._step(row, own, height)
        return height

    def _step(self, row: int, own: int, height: int) -> int:
        """From a row beyond the base, at height `own`, one step towards an ancestor: by the skip, unless the parent's
        skip is the better one. Without that look ahead, walks are not logarithmic.
        """
        skip = skip_height(own)
        ahead = skip_height(own - 1)
        if skip == height or (skip > height and not height <= ahead < skip - 2):
            return self._skips[row - self._base]
        return self._parents[row - self._base]

    def fork_point(self, one: int, other: int) -> int:
        """The last common ancestor."""
        height = min(self.height(one), self.height(other))
        one, other = self.ancestor(one, height), self.ancestor(other, height)
        while one != other:
            one_skip, other_skip = self._skip(one), self._skip(other)
            if one_skip != other_skip:
                one, other = one_skip, other_skip
            else:
                one, other = self.parent(one), self.parent(other)
        return one

    def path(self, fork: int, last: int) -> list[int]:
        """The rows after `fork` up to its descendant `last`."""
        base, rows = self._base, []
        while last != fork and last >= base:
            rows.append(last)
            last = self._parents[last - base]
        rows.extend(range(last, fork, -1))
        rows.reverse()
        return rows

    def _skip(self, row: int) -> int:
        return skip_height(row) if row < self._base else self._skips[row - self._base]

    def descendants(self, row: int) -> Iterator[int]:
        """`row` and everything built on it, parents before children."""
        waiting = [row]
        while waiting:
            current = waiting.pop()
            yield current
            waiting.extend(self.children(current))


def skip_height(height: int) -> int:
    """Where the skip of a block at `height` points: lower bits cleared so that hops are logarithmic (as in Core's
    index).
    """
    if height < 2:
        return 0
    if height & 1:
        once = (height - 1) & (height - 2)
        return (once & (once - 1)) + 1
    return height & (height - 1)
