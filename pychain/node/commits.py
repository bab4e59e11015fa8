"""Commits: writing the overlay to the disk, one batch at a time, and tracking the durable tip.

While one batch is being written the next one gathers, so batches grow with the load, and at the tip each block gets its
own.
"""

from __future__ import annotations

from pychain.ledger.overlay import Overlay
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.effects import Commit
from pychain.node.events import NewTip
from pychain.node.outbox import Outbox

GATHERED = 500
"""Changed headers that are encoded at once, some milliseconds of work. Headers soon change again, when their bodies
come and when they connect, so encoding few of them early saves work."""


class Commits:
    """Seals batches and follows them to the disk."""

    def __init__(self, tree: BlockTree, overlay: Overlay, outbox: Outbox) -> None:
        self._tree = tree
        self._overlay = overlay
        self._outbox = outbox
        self._under_way: tuple[int, Entry] | None = None
        self.durable: Entry = tree.tip
        """The durable tip, which readers see: the last one committed."""

    @property
    def idle(self) -> bool:
        """Whether everything is on disk."""
        return self._under_way is None and self._overlay.empty and not self._tree.changed

    def work(self) -> None:
        """Seal the gathered changes, unless a batch is being written."""
        if self._under_way is None or self._tree.changed >= GATHERED:
            self._overlay.put_index(self._tree.take_changes())
        if self._under_way is None and not self._overlay.empty:
            job = self._outbox.new_job()
            self._under_way = (job, self._tree.tip)
            self._outbox.emit(Commit(job, self._overlay.seal()))

    def done(self, job: int) -> NewTip | None:
        """The batch is durable. Returns the change of the durable tip, None if it is the same."""
        assert self._under_way is not None
        expected, tip = self._under_way
        assert job == expected, "a commit was reported out of order"
        self._under_way = None
        self._overlay.settle()
        before, self.durable = self.durable, tip
        if tip is before:
            return None
        fork = self._tree.fork_point(before, tip)
        return NewTip(tip.header, tip.height, self._hashes_above(fork, before)[::-1], self._hashes_above(fork, tip))

    def _hashes_above(self, fork: Entry, last: Entry) -> tuple[bytes, ...]:
        """Hashes of the blocks after `fork` up to `last`."""
        index = self._tree.headers
        return tuple(map(index.hash, index.path(fork.row, last.row)))
