"""The block tree: every known header, its cumulative work, and which chain is active.

The tree knows which blocks *could* become the tip (their bodies and those of all their ancestors are here, none
judged invalid); whether they do is decided by connecting them, elsewhere. An invalid block makes its descendants
invalid, never its ancestors.

What is known of a header stands in a row of a packed index; an `Entry` is a handle on a row, made when it is asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from weakref import ref

from pychain.chain.header import Header
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.entry import Entry
from pychain.ledger.packed import INVALID_BRANCH, LINKED, PackedHeaders
from pychain.ledger.store import IndexRecord, IndexSlice, Status
from pychain.ledger.stored_index import StoredIndex

HELD_ENTRIES = 8_192
"""Entries held though nobody may refer to them, the last ones made: work at the tip, and between a block's arrival and
its commit in a sync, meets the same ones again and again. They take about four megabytes.
"""

_BODY, _READY = int(Status.BODY), int(Status.BODY | Status.VERIFIED)
_CONNECTED, _INVALID = int(Status.CONNECTED), int(Status.INVALID)
_CONNECTED_STATES = bytes(status & 0x0F | LINKED for status in range(256))
"""The state of a block of the active chain in the index, by its status."""

__all__ = ["HELD_ENTRIES", "BlockTree", "Entry"]

Rank = tuple[int, int]
"""What makes a better tip: more weight, and of equals the first seen (its arrival, negated)."""


class BlockTree:
    """All entries by hash, the active chain by height, and the candidates for the next tip."""

    def __init__(self, rulebook: Rulebook) -> None:
        """A tree of genesis alone, which is active."""
        self.rulebook = rulebook
        self.headers = PackedHeaders(rulebook.spec.genesis.header)
        self.headers.set(0, _READY | _CONNECTED | LINKED)
        self._entries: dict[int, ref[Entry]] = {}
        """The entries that someone holds, by row."""
        self._held: deque[Entry] = deque(maxlen=HELD_ENTRIES)
        self._active = array("I", (0,))
        """Rows of the active chain, by height."""
        self._invalid: dict[int, None] = {}
        """Rows judged invalid by themselves."""
        self._candidates: dict[int, Rank] = {}
        """Rows that rank above the active tip, as far as is known."""
        self._arrivals = 0
        self._changed: dict[int, None] = {0: None}
        """Rows that the store has not, or otherwise."""
        self.genesis = self.entry(0)
        self.tip = self.genesis
        """The end of the active chain."""
        self._tip_is_invalid = False
        """Only in the moments after `invalidate`."""
        self._best, self._most = 0, self._weight(0)
        """Row and weight of the best header."""

    def __len__(self) -> int:
        return len(self.headers)

    @property
    def valid_tip(self) -> Entry:
        """The last valid block of the active chain: the tip, except in the moments after `invalidate`."""
        if not self._tip_is_invalid:
            return self.tip
        return self.entry(self._active[bisect_left(self._active, True, key=self._is_invalid) - 1])

    @property
    def best_header(self) -> Entry:
        """The heaviest header not known to be invalid: what sync heads for."""
        return self.entry(self._best)

    def entry(self, row: int, header: Header | None = None) -> Entry:
        """The entry of a row of `headers`; its header may be handed in where it is at hand."""
        known = self._entries.get(row)
        entry = None if known is None else known()
        if entry is None:
            entry = Entry(self, row, header)
            self._entries[row] = ref(entry, partial(self._entries.pop, row))  # which leaves with it
            self._held.append(entry)
        return entry

    def get(self, block_hash: bytes) -> Entry | None:
        row = self.headers.find(block_hash)
        return None if row is None else self.entry(row)

    def weight(self, entry: Entry) -> int:
        return self.rulebook.weight(entry.work, entry.height)

    # --- what the store must still learn

    @property
    def changed(self) -> int:
        """How many records are new, or differ from those that were taken before."""
        return len(self._changed)

    def take_changes(self) -> list[IndexRecord]:
        """These records, for the next commit."""
        if not self._changed:
            return []
        rows, self._changed = self._changed, {}
        return self.headers.records(rows)

    # --- growing

    def grow(self, header: Header, parent: int) -> int:
        """Insert a header that every header rule has passed; `parent` is the row of its parent. Returns its row."""
        row = self.headers.add(header, parent)
        self._changed[row] = None
        if not self._is_invalid(row):
            weight = self._weight(row)
            if weight > self._most:
                self._best, self._most = row, weight
        return row

    def restore(self, slices: Iterable[IndexSlice], tip_hash: bytes) -> None:
        """Fill a fresh tree from a store's index and make `tip_hash` the active tip. OSError where that is damaged.

        What was connected once counts as linked, whether or not the bodies are still here.
        """
        stored = StoredIndex(slices)
        pieces = stored.path(tip_hash)
        headers = self.headers
        raw, hashes, statuses = stored.chain(pieces)
        headers.fill(raw, hashes, statuses.translate(_CONNECTED_STATES))
        self._active = array("I", range(len(headers)))
        for at in stored.gaps(pieces):
            header = stored.header(at)
            parent = headers.find(header.prev_hash)
            if parent is None:
                raise OSError(f"the header index is damaged: a parent is missing, {header.prev_hash[::-1].hex()}")
            row = headers.add(header, parent)
            headers.set(row, stored.statuses[at])
            if headers.has(row, _BODY) and headers.has(parent, LINKED):
                headers.set(row, LINKED)
        for row in headers.rows_with(_INVALID):
            self._mark_branch_invalid(row)
        self.genesis, self.tip = self.entry(0), self.entry(self._active[-1])
        self._changed.clear()
        self.recount()

    def bodies_arrived(self, rows: Iterable[int]) -> None:
        """The bodies of some blocks are here and verified: they and what waited for them may become candidates."""
        headers = self.headers
        linked: list[int] = []
        for arrived in rows:
            headers.set(arrived, _READY)
            self._changed[arrived] = None
            waiting = [arrived] if arrived and headers.has(headers.parent(arrived), LINKED) else []
            while waiting:
                row = waiting.pop()
                self._arrivals += 1
                headers.link(row, self._arrivals)
                linked.append(row)
                waiting.extend([child for child in reversed(headers.children(row)) if headers.has(child, _BODY)])
        self._consider(linked)

    def body_lost(self, entry: Entry) -> None:
        """The stored body of `entry` cannot be read any more: it must be fetched again before anything on it can
        connect.
        """
        self.headers.clear(entry.row, _READY)
        self._changed[entry.row] = None
        for descendant in self.headers.descendants(entry.row):
            self.headers.clear(descendant, LINKED)
        self.recount()

    # --- choosing

    def best_candidate(self) -> Entry | None:
        """The block that the active chain should be extended or switched to, None where the tip is already best."""
        if not self._candidates and not self._tip_is_invalid:  # as at most times, and every turn asks
            return None
        valid_tip = self.valid_tip
        best, best_rank = valid_tip.row, self._rank(valid_tip.row)
        bar = best_rank
        for row, rank in list(self._candidates.items()):
            if rank <= bar:
                del self._candidates[row]
            elif rank > best_rank:
                best, best_rank = row, rank
        return None if best == self.tip.row else self.entry(best)

    def activate(self, entry: Entry) -> None:
        """`entry` has been connected: it is the tip now."""
        path, active = [], self._active
        row, height = entry.row, entry.height
        while height >= len(active) or active[height] != row:
            path.append(row)
            row, height = self.headers.parent(row), height - 1
        del active[height + 1 :]
        active.extend(reversed(path))
        self.tip = entry
        self._tip_is_invalid = self._is_invalid(entry.row)
        self._candidates.pop(entry.row, None)

    def mark_connected(self, row: int) -> None:
        """Note that a block holds in its parent's state."""
        if self.headers.set(row, _CONNECTED):
            self._changed[row] = None

    def _is_active(self, row: int, height: int) -> bool:
        return height < len(self._active) and self._active[height] == row

    def _rank(self, row: int) -> Rank:
        """After a judgement is made or taken back the active tip may not be the highest ranking, as in Core."""
        return (self._weight(row), -self.headers.arrival(row))

    def _weight(self, row: int) -> int:
        return self.rulebook.weight(self.headers.work(row), self.headers.height(row))

    def _consider(self, linked: Sequence[int]) -> None:
        """Weight grows along a chain, so of a parent and its child the child alone is a candidate."""
        sound = [row for row in linked if not self._is_invalid(row)]
        surpassed = dict.fromkeys(map(self.headers.parent, sound))
        for row in surpassed:
            self._candidates.pop(row, None)
        bar = self._rank(self.valid_tip.row)
        for row in sound:
            if row not in surpassed:
                rank = self._rank(row)
                if rank > bar:
                    self._candidates[row] = rank

    # --- judging

    def invalidate(self, entry: Entry) -> None:
        """Judge `entry` invalid, and with it all its descendants."""
        self.headers.set(entry.row, _INVALID)
        self._changed[entry.row] = None
        self._mark_branch_invalid(entry.row)
        self.recount()

    def reconsider(self, entry: Entry) -> None:
        """Forget every judgement on `entry`, its ancestors and descendants (as Core's reconsiderblock)."""
        changed = [row for row in self._invalid if _are_related(entry, self.entry(row))]
        for judged in changed:
            self.headers.clear(judged, _INVALID)
            self._changed[judged] = None
            del self._invalid[judged]
        for judged in changed:
            for row in self.headers.descendants(judged):
                self.headers.clear(row, INVALID_BRANCH)
        for row in self._invalid:
            self._mark_branch_invalid(row)
        self.recount()

    def recount(self) -> None:
        """Find the best header and all candidates afresh, after a judgement changed."""
        self._candidates.clear()
        self._tip_is_invalid = self._is_invalid(self.tip.row)
        self._best = self.valid_tip.row
        bar = self._rank(self._best)
        self._most = bar[0]
        for leaf in self.headers.leaves():
            if self._weight(leaf) < bar[0]:
                continue  # so is all below it
            sound = self._last_before(leaf, self._is_invalid)
            weight = self._weight(sound)
            if weight > self._most:
                self._best, self._most = sound, weight
            linked = self._last_before(sound, self._is_not_linked)
            if not self._is_active(linked, self.headers.height(linked)):
                self._consider((linked,))

    def _mark_branch_invalid(self, row: int) -> None:
        self._invalid[row] = None
        for descendant in self.headers.descendants(row):
            self.headers.set(descendant, INVALID_BRANCH)

    def _is_invalid(self, row: int) -> bool:
        return self.headers.has(row, INVALID_BRANCH)

    def _is_not_linked(self, row: int) -> bool:
        return not self.headers.has(row, LINKED)

    def _last_before(self, row: int, fails: Callable[[int], bool]) -> int:
        """The last block on the way from genesis to `row` before the first that `fails`, as all after it do."""
        if not fails(row):
            return row
        low, high = 0, self.headers.height(row)
        while high - low > 1:
            middle = (low + high) // 2
            if fails(self.headers.ancestor(row, middle)):
                high = middle
            else:
                low = middle
        return self.headers.ancestor(row, low)

    # --- asking

    def fork_point(self, one: Entry, other: Entry) -> Entry:
        """The last common ancestor."""
        return self.entry(self.headers.fork_point(one.row, other.row))

    def locator(self, entry: Entry) -> list[bytes]:
        """Hashes from `entry` back to genesis, ten one by one, then at doubling distances (as Bitcoin's locators)."""
        hashes = []
        step, height = 1, entry.height
        while height > 0:
            hashes.append(self.headers.hash(self.headers.ancestor(entry.row, height)))
            if len(hashes) >= 10:
                step *= 2
            height -= step
        hashes.append(self.genesis.hash)
        return hashes

    def find_locator(self, locator: Iterable[bytes]) -> Entry:
        """The first hash of a locator that is on the active chain; genesis where none is."""
        for block_hash in locator:
            row = self.headers.find(block_hash)
            if row is not None and self._is_active(row, self.headers.height(row)):
                return self.entry(row)
        return self.genesis

    def path(self, fork: Entry, last: Entry) -> list[Entry]:
        """The blocks after `fork` up to its descendant `last`."""
        return [self.entry(row) for row in self.headers.path(fork.row, last.row)]

    def leaves(self) -> list[Entry]:
        """The ends of all branches, and the active tip."""
        leaves = [self.entry(row) for row in self.headers.leaves()]
        return leaves if self.headers.is_leaf(self.tip.row) else [*leaves, self.tip]


def _are_related(one: Entry, other: Entry) -> bool:
    return one.descends_from(other) or other.descends_from(one)
