"""Keeps a node's block files within their bound as the chain grows, on a thread."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left

from pychain.ledger.store import BodyStore, WritableStore
from pychain.node.queries import Queries

KEPT_BLOCKS = 288
"""The newest blocks that are never pruned (Bitcoin Core's MIN_BLOCKS_TO_KEEP): a pruned node cannot follow a deeper
reorganisation."""
EVERY_BLOCKS = 16
"""New tips between two checks of the files."""

_log = logging.getLogger(__name__)


def lowest_kept(store: BodyStore, queries: Queries) -> int:
    """The height in the active chain from which on all blocks are stored. Blocks are pruned from the bottom, so a
    binary search finds it."""

    def is_kept(height: int) -> bool:
        entry = queries.at(height)
        return entry is not None and store.has_body(entry.hash)

    return bisect_left(range(queries.tip.height), True, key=is_kept)


class Pruner:
    """Prunes at intervals of new tips. Loop thread only."""

    def __init__(self, store: WritableStore, keep_bytes: int) -> None:
        """keep_bytes: the bound on block files, 0 for no limit."""
        self._store = store
        self._keep_bytes = keep_bytes
        self._next_height = 0
        self._under_way: asyncio.Future[int] | None = None

    def tip_moved(self, height: int) -> None:
        """The durable tip is now at `height`."""
        below = height - KEPT_BLOCKS
        if not self._keep_bytes or below <= 0 or height < self._next_height or self._under_way is not None:
            return
        self._next_height = height + EVERY_BLOCKS
        loop = asyncio.get_running_loop()
        self._under_way = loop.run_in_executor(None, self._store.prune, below, self._keep_bytes)
        self._under_way.add_done_callback(self._done)

    def _done(self, pruning: asyncio.Future[int]) -> None:
        self._under_way = None
        error = None if pruning.cancelled() else pruning.exception()
        if error is not None:
            _log.warning("old blocks could not be removed: %s", error)
        elif not pruning.cancelled() and pruning.result():
            _log.info("removed %d files of old blocks", pruning.result())

    async def close(self) -> None:
        """Wait for a running prune."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])
