"""A cache of block summaries, since lists of recent blocks are requested again and again."""

from __future__ import annotations

from collections import OrderedDict

from pychain.api.backend import Backend
from pychain.api.views.blocks import BlockContent, block_content
from pychain.ledger.tree import Entry

MAX_CONTENTS = 4_096
"""Summaries in the cache, a megabyte or two."""


class BlockContents:
    """One per node."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: OrderedDict[bytes, BlockContent] = OrderedDict()

    async def of(self, entry: Entry) -> BlockContent | None:
        """A block's summary; None if its body is not stored."""
        known = self._known.get(entry.hash)
        if known is not None:
            self._known.move_to_end(entry.hash)
            return known
        queries = self._backend.queries
        raw = queries.raw_block(entry) or await self._backend.body(entry.hash)
        if raw is None:
            return None
        content = await self._backend.aside(lambda: block_content(queries.spec.hrp, raw))
        self._known[entry.hash] = content
        if len(self._known) > MAX_CONTENTS:
            self._known.popitem(last=False)
        return content
