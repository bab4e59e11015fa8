"""The block tree: every known header, its cumulative work, and which chain is active.

The tree knows which blocks *could* become the tip (their bodies and those of all their ancestors are here, none
judged invalid); whether they do is decided by connecting them, elsewhere. An invalid block makes its descendants
invalid, never its ancestors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pychain.chain.header import Header
from pychain.chain.target import work_from_bits
from pychain.consensus.branch import median_time_past
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.store import IndexRecord, Status


class Entry:
    """One header in its place. Entries are made by the tree and compared by identity.

    work: chain work from genesis to here. linked: bodies are here from genesis to this block. doomed: it or an
    ancestor is invalid. arrival: order in which blocks became linked, for "the first seen wins a tie".
    """

    __slots__ = ("arrival", "children", "doomed", "header", "height", "linked", "parent", "skip", "status", "work")

    def __init__(self, header: Header, parent: Entry | None) -> None:
        self.header = header
        self.parent = parent
        self.height: int = parent.height + 1 if parent else 0
        self.work: int = (parent.work if parent else 0) + work_from_bits(header.bits)
        self.status = Status.HEADER
        self.linked: bool = False
        self.doomed: bool = parent.doomed if parent else False
        self.arrival = 0
        self.children: list[Entry] = []
        self.skip: Entry | None = parent.ancestor(_skip_height(self.height)) if parent else None

    @property
    def hash(self) -> bytes:
        return self.header.hash

    @property
    def record(self) -> IndexRecord:
        """The form in which the store keeps it."""
        return IndexRecord(self.header, self.height, self.status)

    def ancestor(self, height: int) -> Entry:
        """The block at `height` (0 to this one's own) on the way to genesis, in a logarithmic number of steps."""
        entry = self
        while entry.height > height:
            skip, parent = entry.skip, entry.parent
            assert skip is not None
            assert parent is not None
            # Skip, unless the parent's skip is the better one: without that look ahead, walks are not logarithmic.
            ahead = _skip_height(parent.height)
            if skip.height == height or (skip.height > height and not height <= ahead < skip.height - 2):
                entry = skip
            else:
                entry = parent
        return entry

    def descends_from(self, other: Entry) -> bool:
        """Is `other` this block or an ancestor of it?"""
        return self.height >= other.height and self.ancestor(other.height) is other

    def __repr__(self) -> str:
        return f"<Entry {self.height} {self.header.hash[::-1].hex()[:16]}>"


class EntryBranch:
    """The chain from genesis to one entry, as the contextual rules read it."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    @property
    def height(self) -> int:
        return self._entry.height

    def header(self, height: int) -> Header:
        return self._entry.ancestor(height).header


def median_time(entry: Entry) -> int:
    """Median time past of the chain that ends here."""
    return median_time_past(EntryBranch(entry))


class BlockTree:
    """All entries by hash, the active chain by height, and the candidates for the next tip."""

    def __init__(self, rulebook: Rulebook) -> None:
        """A tree of genesis alone, which is active."""
        self.rulebook = rulebook
        genesis = Entry(rulebook.spec.genesis.header, None)
        genesis.status = Status.BODY | Status.VERIFIED | Status.CONNECTED
        genesis.linked = True
        self._entries: dict[bytes, Entry] = {genesis.hash: genesis}
        self._active: list[Entry] = [genesis]
        self._candidates: dict[bytes, Entry] = {}
        self._arrivals = 0
        self.best_header = genesis
        """The heaviest header not known to be invalid: what sync heads for."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def genesis(self) -> Entry:
        return self._active[0]

    @property
    def tip(self) -> Entry:
        """The end of the active chain."""
        return self._active[-1]

    @property
    def valid_tip(self) -> Entry:
        """The last block of the active chain that is not doomed: the tip, but for the moments after `invalidate`."""
        entry = self.tip
        while entry.doomed:
            assert entry.parent is not None
            entry = entry.parent
        return entry

    def get(self, block_hash: bytes) -> Entry | None:
        return self._entries.get(block_hash)

    def at(self, height: int) -> Entry | None:
        """The active block at a height."""
        return self._active[height] if 0 <= height < len(self._active) else None

    def is_active(self, entry: Entry) -> bool:
        return self.at(entry.height) is entry

    def entries(self) -> Iterable[Entry]:
        """Every entry, in the order in which they became known."""
        return self._entries.values()

    def weight(self, entry: Entry) -> int:
        return self.rulebook.weight(entry.work, entry.height)

    # --- growing

    def add(self, header: Header) -> Entry:
        """Insert a header whose parent is known and which every header rule has passed."""
        parent = self._entries[header.prev_hash]
        entry = Entry(header, parent)
        parent.children.append(entry)
        self._entries[header.hash] = entry
        if not entry.doomed and self.weight(entry) > self.weight(self.best_header):
            self.best_header = entry
        return entry

    def restore(self, records: Iterable[IndexRecord], tip_hash: bytes) -> None:
        """Fill a fresh tree from a store's index (parents before children) and make `tip_hash` the active tip."""
        for record in records:
            entry = self._entries.get(record.header.hash)
            if entry is None:
                parent = self._entries[record.header.prev_hash]
                entry = Entry(record.header, parent)
                parent.children.append(entry)
                self._entries[entry.hash] = entry
            entry.status = record.status
            entry.doomed = entry.doomed or Status.INVALID in record.status
            parent_linked = entry.parent is None or entry.parent.linked
            entry.linked = parent_linked and Status.BODY in record.status
        self._switch(self._entries[tip_hash])
        self.recount()

    def body_arrived(self, entry: Entry) -> None:
        """The body of `entry` is here and verified: it and what waited for it may become candidates."""
        entry.status |= Status.BODY | Status.VERIFIED
        if entry.parent is None or not entry.parent.linked:
            return
        bar = self._rank(self.valid_tip)
        waiting = [entry]
        while waiting:
            linked = waiting.pop()
            linked.linked = True
            self._arrivals += 1
            linked.arrival = self._arrivals
            self._consider(linked, bar)
            waiting.extend(child for child in reversed(linked.children) if Status.BODY in child.status)

    def body_lost(self, entry: Entry) -> None:
        """The stored body of `entry` cannot be read any more: it must be fetched again before anything on it can
        connect.
        """
        entry.status &= ~(Status.BODY | Status.VERIFIED)
        for descendant in self.descendants(entry):
            descendant.linked = False
        self.recount()

    # --- choosing

    def best_candidate(self) -> Entry | None:
        """The block that the active chain should be extended or switched to, None where the tip is already best."""
        best = valid_tip = self.valid_tip
        bar = self._rank(valid_tip)
        for entry in list(self._candidates.values()):
            rank = self._rank(entry)
            if rank <= bar:
                del self._candidates[entry.hash]
            elif rank > self._rank(best):
                best = entry
        return None if best is self.tip else best

    def activate(self, entry: Entry) -> None:
        """`entry` has been connected: it is the tip now."""
        self._switch(entry)
        self._candidates.pop(entry.hash, None)

    def _switch(self, entry: Entry) -> None:
        path = []
        step: Entry | None = entry
        while step is not None and not self.is_active(step):
            path.append(step)
            step = step.parent
        assert step is not None
        del self._active[step.height + 1 :]
        self._active.extend(reversed(path))

    def _rank(self, entry: Entry) -> tuple[int, int]:
        """What makes a better tip: more weight, and of equals the first seen. After a judgement is made or taken back
        the active tip may be neither, as in Core.
        """
        return (self.weight(entry), -entry.arrival)

    def _consider(self, entry: Entry, bar: tuple[int, int]) -> None:
        """Weight grows along a chain, so of a parent and its child the child alone is a candidate."""
        if not entry.doomed and self._rank(entry) > bar:
            assert entry.parent is not None
            self._candidates.pop(entry.parent.hash, None)
            self._candidates[entry.hash] = entry

    # --- judging

    def invalidate(self, entry: Entry) -> list[Entry]:
        """Judge `entry` invalid and doom its descendants. Returns the entries whose status changed (that one)."""
        entry.status |= Status.INVALID
        for descendant in self.descendants(entry):
            descendant.doomed = True
        self.recount()
        return [entry]

    def reconsider(self, entry: Entry) -> list[Entry]:
        """Forget every judgement on `entry`, its ancestors and descendants (as Core's reconsiderblock). Returns the
        changed.
        """
        changed = []
        family = list(self.descendants(entry))
        ancestor = entry.parent
        while ancestor is not None:
            family.append(ancestor)
            ancestor = ancestor.parent
        for relative in family:
            if Status.INVALID in relative.status:
                relative.status &= ~Status.INVALID
                changed.append(relative)
        for other in self._entries.values():  # parents stand before children
            inherited = other.parent.doomed if other.parent else False
            other.doomed = inherited or Status.INVALID in other.status
        self.recount()
        return changed

    def descendants(self, entry: Entry) -> Iterator[Entry]:
        """`entry` and everything built on it."""
        waiting = [entry]
        while waiting:
            current = waiting.pop()
            yield current
            waiting.extend(current.children)

    def recount(self) -> None:
        """Find the best header and all candidates afresh, after a judgement changed."""
        self._candidates.clear()
        self.best_header = self.valid_tip
        bar = self._rank(self.valid_tip)
        for entry in self._entries.values():
            if entry.doomed:
                continue
            if self.weight(entry) > self.weight(self.best_header):
                self.best_header = entry
            if entry.linked:
                self._consider(entry, bar)

    # --- asking

    def fork_point(self, one: Entry, other: Entry) -> Entry:
        """The last common ancestor."""
        height = min(one.height, other.height)
        one, other = one.ancestor(height), other.ancestor(height)
        while one is not other:
            if one.skip is not None and other.skip is not None and one.skip is not other.skip:
                one, other = one.skip, other.skip
            else:
                assert one.parent is not None
                assert other.parent is not None
                one, other = one.parent, other.parent
        return one

    def locator(self, entry: Entry) -> list[bytes]:
        """Hashes from `entry` back to genesis, ten one by one, then at doubling distances (as Bitcoin's locators)."""
        hashes = []
        step, height = 1, entry.height
        while height > 0:
            hashes.append(entry.ancestor(height).hash)
            if len(hashes) >= 10:
                step *= 2
            height -= step
        hashes.append(self.genesis.hash)
        return hashes

    def find_locator(self, locator: Iterable[bytes]) -> Entry:
        """The first hash of a locator that is on the active chain; genesis where none is."""
        for block_hash in locator:
            entry = self._entries.get(block_hash)
            if entry is not None and self.is_active(entry):
                return entry
        return self.genesis

    def leaves(self) -> list[Entry]:
        """The ends of all branches, and the active tip."""
        return [entry for entry in self._entries.values() if not entry.children or entry is self.tip]


def _skip_height(height: int) -> int:
    """Where the skip of a block at `height` points: lower bits cleared so that hops are logarithmic (as in Core's
    index).
    """
    if height < 2:
        return 0
    if height & 1:
        once = (height - 1) & (height - 2)
        return (once & (once - 1)) + 1
    return height & (height - 1)
