"""What endpoints share: the daemon's services, and the summaries of blocks that were shown of late."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from pychain.api.methods.lookups import body
from pychain.api.views.blocks import BlockContent, block_content
from pychain.daemon.services import Services
from pychain.ledger.tree import Entry

MAX_CONTENTS = 4_096
"""Blocks whose summary is remembered, a megabyte or two: what lists of recent blocks show again and again."""


@dataclass
class Context:
    """One a node."""

    services: Services
    _contents: OrderedDict[bytes, BlockContent] = field(default_factory=OrderedDict)

    async def content(self, entry: Entry) -> BlockContent | None:
        """What a block holds, in short; None where its body is not here."""
        known = self._contents.get(entry.hash)
        if known is None:
            raw = self.services.node.queries.raw_block(entry) or await self.services.body(entry.hash)
            if raw is None:
                return None
            hrp = self.services.settings.spec.hrp
            known = await asyncio.to_thread(block_content, hrp, raw)
            self._contents[entry.hash] = known
            if len(self._contents) > MAX_CONTENTS:
                self._contents.popitem(last=False)
        else:
            self._contents.move_to_end(entry.hash)
        return known

    async def body(self, entry: Entry) -> bytes:
        """The raw block, or an error that says that it is not here."""
        return await body(self.services, entry)
