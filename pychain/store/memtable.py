"""The memtable: the journal's content in memory, committed and not in the tables yet. Reads look here first.

Each commit adds one `Layer`. It is durable at once and visible from the next `advance`. Visible layers are merged into
the *active* one; when that is large enough it is *frozen*, written to the tables in one sweep, and retired.

Three kinds of threads use it. The node's thread calls `advance`; the committing thread calls the rest; any thread may
read. A reader takes `layers` once, and then reads the tables for what these lack. This is always correct:
- a layer is merged while it is still above the active one, so both give the same answer;
- a frozen layer is retired after the tables show all of it, so a reader that still sees it finds the same there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from threading import Lock

from pychain.chain.hashes import split_hashes
from pychain.consensus.state import Account
from pychain.store.members import Members
from pychain.store.places import Places
from pychain.store.records import entry_of

ACCOUNT_BYTES = 260
"""Memory of one account in a layer (key 65, account 64, two numbers 64, up to 100 in the dictionary)."""
PLACE_BYTES = 300
"""Memory of one transaction: id 65, place 36, up to 100 in the dictionary, lists while it is written."""

_SLICE = 4_096
"""Entries copied at a time, in half a millisecond: a copy holds the interpreter's lock."""


class Layer:
    """The changes of one commit, or of several consecutive ones.

    accounts: key -> account, `ABSENT` if it was removed. places: of transactions. blocks: connected blocks, in order of
    number. end: the journal's rows below this belong to this layer or older ones.
    """

    __slots__ = ("_block_size", "accounts", "blocks", "end", "places")

    def __init__(self) -> None:
        self.accounts: dict[bytes, Account] = {}
        self.places = Places()
        self.blocks: list[Members] = []
        self.end = 0
        self._block_size = 0

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        return len(self.accounts) * ACCOUNT_BYTES + len(self.places) * PLACE_BYTES + self._block_size

    def connect(self, blocks: Sequence[Members], txids: bytes) -> None:
        """Add connected blocks. txids: of all their transactions, concatenated."""
        firsts = [entry_of(members.number, 0) for members in blocks]
        entries = [range(first, first + members.transactions) for first, members in zip(firsts, blocks, strict=True)]
        places = zip(split_hashes(txids), chain.from_iterable(entries), strict=True)
        while piece := dict(islice(places, _SLICE)):
            self.places.update(piece)
        self.blocks += blocks
        self._block_size += sum([members.size for members in blocks])

    def absorb(self, newer: Layer) -> None:
        """Merge the next newer layer into this one."""
        _update(self.accounts, newer.accounts)
        self.places.absorb(newer.places)
        self.blocks.extend(newer.blocks)
        self._block_size += newer._block_size
        self.end = newer.end


class Memtable:
    """The layers of a store. `layers` are those that reads see, newest first."""

    def __init__(self, recovered: Layer) -> None:
        """recovered: the journal's content on opening."""
        self._lock = Lock()
        self._pending: deque[Layer] = deque()
        self._active = recovered
        self._frozen: Layer | None = None
        self.layers: tuple[Layer, ...] = (recovered,)

    @property
    def size(self) -> int:
        """Approximate memory of all layers in bytes."""
        return sum(layer.size for layer in (*self._pending, *self.layers))

    @property
    def frozen(self) -> Layer | None:
        return self._frozen

    def advance(self) -> None:
        """Let reads see all layers added so far."""
        if self._pending:
            with self._lock:
                self.layers = (*reversed(self._pending), *self.layers)
                self._pending.clear()

    def replace(self, recovered: Layer) -> None:
        """Show the present journal of another process."""
        self._active = recovered
        self.layers = (recovered,)

    def blocks(self) -> Iterator[Members]:
        """The connected blocks that reads see, newest first."""
        below = None
        for layer in self.layers:
            for members in reversed(layer.blocks):
                if below is None or members.number < below:  # a block may be in two layers at once
                    below = members.number
                    yield members

    # --- called by the thread that commits

    def add(self, layer: Layer) -> None:
        """Add the layer of a commit, which is durable."""
        with self._lock:
            self._pending.append(layer)

    def absorb(self) -> None:
        """Merge the visible layers into the active one."""
        layers = self.layers
        kept = 1 if self._frozen is None else 2
        recent = layers[: len(layers) - kept]
        for layer in reversed(recent):
            self._active.absorb(layer)
        with self._lock:
            self.layers = self.layers[: len(self.layers) - len(layers)] + layers[len(recent) :]

    @property
    def active_size(self) -> int:
        return self._active.size

    def freeze(self) -> Layer:
        """Freeze the active layer so that it can be written; none may be frozen already."""
        assert self._frozen is None
        self._frozen = self._active
        self._active = Layer()
        with self._lock:
            self.layers = (*self.layers[:-1], self._active, self._frozen)
        return self._frozen

    def retire(self) -> None:
        """Drop the frozen layer, as the tables show all of it."""
        assert self._frozen is not None
        self._frozen = None
        with self._lock:
            self.layers = self.layers[:-1]


def _update(target: dict[bytes, Account], source: dict[bytes, Account]) -> None:
    if len(source) <= _SLICE:
        target.update(source)
        return
    items = iter(source.items())
    while piece := dict(islice(items, _SLICE)):
        target.update(piece)
