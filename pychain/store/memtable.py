"""What was committed and is not in the tables yet: the journal's content, in memory, where reads find it first.

Each commit brings one `Layer`. It is durable at once and seen from the next `advance`. Layers that are seen are
absorbed into the *active* one; when that has grown it is *frozen*, written to the tables in one sweep, and retired.

Three kinds of threads meet here. The node's calls `advance`; the one that commits calls the rest; any may read. A
reader takes `layers` once, and then looks into the tables where these have nothing. That is right at any moment:
- a layer is absorbed while it still lies above the active one, so both answer alike;
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
"""What one account takes in a layer (key 65, account 64, two numbers 64, the dictionary's share of up to 100)."""
PLACE_BYTES = 300
"""What one transaction takes: id 65, place 36, the dictionary's share of up to 100, lists while it is written."""

_SLICE = 4_096
"""Entries copied at a time, in half a millisecond: a copy keeps the interpreter to itself."""


class Layer:
    """The changes of one commit, or of several that follow each other.

    accounts: key -> account, `ABSENT` where it was removed. places: of transactions. blocks: those that connected, by
    rising number. end: the journal's rows below this are its own or older.
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
        """About how many bytes of memory it takes."""
        return len(self.accounts) * ACCOUNT_BYTES + len(self.places) * PLACE_BYTES + self._block_size

    def connect(self, blocks: Sequence[Members], txids: bytes) -> None:
        """Take in blocks that connected. txids: of all their transactions, joined."""
        firsts = [entry_of(members.number, 0) for members in blocks]
        entries = [range(first, first + members.transactions) for first, members in zip(firsts, blocks, strict=True)]
        places = zip(split_hashes(txids), chain.from_iterable(entries), strict=True)
        while piece := dict(islice(places, _SLICE)):
            self.places.update(piece)
        self.blocks += blocks
        self._block_size += sum([members.size for members in blocks])

    def absorb(self, newer: Layer) -> None:
        """Take in a layer that followed."""
        _update(self.accounts, newer.accounts)
        self.places.absorb(newer.places)
        self.blocks.extend(newer.blocks)
        self._block_size += newer._block_size
        self.end = newer.end


class Memtable:
    """The layers of a store. `layers` is what reads see, newest first."""

    def __init__(self, recovered: Layer) -> None:
        """recovered: what the journal held at the opening."""
        self._lock = Lock()
        self._pending: deque[Layer] = deque()
        self._active = recovered
        self._frozen: Layer | None = None
        self.layers: tuple[Layer, ...] = (recovered,)

    @property
    def size(self) -> int:
        """About how many bytes of memory all of it takes."""
        return sum(layer.size for layer in (*self._pending, *self.layers))

    @property
    def frozen(self) -> Layer | None:
        return self._frozen

    def advance(self) -> None:
        """Let reads see every layer that was added."""
        if self._pending:
            with self._lock:
                self.layers = (*reversed(self._pending), *self.layers)
                self._pending.clear()

    def replace(self, recovered: Layer) -> None:
        """Show another process' journal as it is now."""
        self._active = recovered
        self.layers = (recovered,)

    def blocks(self) -> Iterator[Members]:
        """The connected blocks that reads see, newest first."""
        below = None
        for layer in self.layers:
            for members in reversed(layer.blocks):
                if below is None or members.number < below:  # it may be in two layers at once
                    below = members.number
                    yield members

    # --- by the thread that commits

    def add(self, layer: Layer) -> None:
        """A commit is durable."""
        with self._lock:
            self._pending.append(layer)

    def absorb(self) -> None:
        """Gather the layers that reads see in the active one."""
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
        """Set the active layer apart to be written; nothing may be frozen already."""
        assert self._frozen is None
        self._frozen = self._active
        self._active = Layer()
        with self._lock:
            self.layers = (*self.layers[:-1], self._active, self._frozen)
        return self._frozen

    def retire(self) -> None:
        """The tables show all of the frozen layer."""
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
