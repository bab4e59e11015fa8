"""Keeps a node's block files within their bound as its chain grows, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left

from pychain.ledger.store import BodyStore, WritableStore
from pychain.node.queries import Queries

KEPT_BLOCKS = 288
"""The newest blocks that stay whatever they take (as Bitcoin Core's MIN_BLOCKS_TO_KEEP): no deeper reorganisation can
be followed once those before are gone."""
EVERY_BLOCKS = 16
"""Between two looks at the files."""

_log = logging.getLogger(__name__)


def lowest_kept(store: BodyStore, queries: Queries) -> int:
    """The lowest height of the active chain from which on all blocks are stored. Blocks go from the bottom, so it is
    found by halving."""

    def is_kept(height: int) -> bool:
        entry = queries.at(height)
        return entry is not None and store.has_body(entry.hash)

    return bisect_left(range(queries.tip.height), True, key=is_kept)


class Pruner:
    """Prunes after every so many new tips. Loop thread only."""

    def __init__(self, store: WritableStore, keep_bytes: int) -> None:
        """keep_bytes: what the block files may take, 0 for all there is."""
        self._store = store
        self._keep_bytes = keep_bytes
        self._next_height = 0
        self._under_way: asyncio.Future[int] | None = None

    def tip_moved(self, height: int) -> None:
        """The durable tip is at `height` now."""
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
        """Wait for what is under way."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])
