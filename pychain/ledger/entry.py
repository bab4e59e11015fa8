"""One block's place in the tree, and the chain that ends there as the contextual rules read it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from pychain.chain.header import Header, known_header
from pychain.consensus.branch import MEDIAN_TIME_SPAN, median_time_past, times_of_last
from pychain.ledger.packed import INVALID_BRANCH, LINKED, PackedHeaders
from pychain.ledger.store import Status


class Entries(Protocol):
    """Whose entries they are: the tree."""

    headers: PackedHeaders

    def entry(self, row: int) -> Entry:
        """The entry of a row: the same object as long as anyone holds it."""
        ...


_BODY = int(Status.BODY)
_REMEMBERED = 4096
"""Headers that a growing branch remembers, some two megabytes; then it begins anew."""


class Entry:
    """One header in its place: a handle on a row of the packed index. Entries are made by the tree and compared by
    identity.

    linked: bodies are here from genesis to this block. invalid: it or an ancestor is invalid. arrival: order in which
    blocks became linked, for "the first seen wins a tie".
    """

    __slots__ = ("__weakref__", "_hash", "_header", "_tree", "_work", "height", "row")

    def __init__(self, tree: Entries, row: int, header: Header | None = None) -> None:
        self._tree = tree
        self._header = header
        self._hash = None if header is None else header.hash
        self._work: int | None = None
        self.row = row
        self.height: int = tree.headers.height(row)

    @property
    def hash(self) -> bytes:
        if self._hash is None:
            self._hash = self._tree.headers.hash(self.row)
        return self._hash

    @property
    def index(self) -> PackedHeaders:
        return self._tree.headers

    @property
    def header(self) -> Header:
        if self._header is None:
            self._header = known_header(self._tree.headers.raw(self.row), self.hash)
        return self._header

    @property
    def prev_hash(self) -> bytes:
        """The parent's hash, 32 zero bytes for genesis."""
        return self._tree.headers.prev_hash(self.row)

    @property
    def work(self) -> int:
        """Chain work from genesis to here."""
        if self._work is None:
            self._work = self._tree.headers.work(self.row)
        return self._work

    @property
    def status(self) -> Status:
        return self._tree.headers.status(self.row)

    @property
    def has_body(self) -> bool:
        """Its body is stored."""
        return self._tree.headers.has(self.row, _BODY)

    @property
    def linked(self) -> bool:
        return self._tree.headers.has(self.row, LINKED)

    @property
    def invalid(self) -> bool:
        return self._tree.headers.has(self.row, INVALID_BRANCH)

    @property
    def arrival(self) -> int:
        return self._tree.headers.arrival(self.row)

    @property
    def parent(self) -> Entry | None:
        return self._tree.entry(self._tree.headers.parent(self.row)) if self.row else None

    @property
    def children(self) -> list[Entry]:
        """In the order in which they became known."""
        return [self._tree.entry(row) for row in self._tree.headers.children(self.row)]

    def ancestor(self, height: int) -> Entry:
        """The block at `height` (0 to this one's own) on the way to genesis, in a logarithmic number of steps."""
        return self._tree.entry(self._tree.headers.ancestor(self.row, height))

    def ancestor_hash(self, height: int) -> bytes:
        """The hash of `ancestor`."""
        headers = self._tree.headers
        return headers.hash(headers.ancestor(self.row, height))

    def descends_from(self, other: Entry) -> bool:
        """Is `other` this block or an ancestor of it?"""
        return self.height >= other.height and self._tree.headers.ancestor(self.row, other.height) == other.row

    def __repr__(self) -> str:
        return f"<Entry {self.height} {self.hash[::-1].hex()[:16]}>"


class EntryBranch:
    """The chain from genesis to one entry, as the contextual rules read it. It may grow, and remembers the headers that
    it was asked for: of a run of headers that are judged one after the other, each asks for the same ones but one.
    """

    def __init__(self, entry: Entry) -> None:
        self._index = entry.index
        self._known: dict[int, Header] = {}
        self._last_times: deque[int] = deque(maxlen=MEDIAN_TIME_SPAN)
        self.row = entry.row
        """The last header's in the packed index."""
        self.height = entry.height

    @property
    def last_hash(self) -> bytes:
        return self.header(self.height).hash

    def header(self, height: int) -> Header:
        known = self._known.get(height)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[height] = self._index.header(self._index.ancestor(self.row, height))
        return known

    @property
    def last_times(self) -> Sequence[int]:
        times = self._last_times
        if not times:
            times.extend(times_of_last(self))
        return times

    def grow(self, header: Header, row: int) -> None:
        """The chain goes on with this header, which has entered the index."""
        self.row = row
        self.height += 1
        self._known[self.height] = header
        if self._last_times:
            self._last_times.append(header.time)


def median_time(entry: Entry) -> int:
    """Median time past of the chain that ends here."""
    return median_time_past(EntryBranch(entry))
