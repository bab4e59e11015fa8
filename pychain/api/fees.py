"""Fee suggestions of a running node, out of its recent blocks and its mempool."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pychain.chain.block import decode_block
from pychain.chain.transaction import MAX_MEMO_BYTES, TRANSFER_BYTES
from pychain.ledger.feerates import WINDOW, Offer, block_floor, offers_of, overtaking_rate, recent_rate

if TYPE_CHECKING:
    from pychain.daemon.services import Services

FRESH_S = 2.0
"""How long one look at the mempool serves: sorting a full one takes a while, on a thread."""


class FeeEstimator:
    """Remembers what it has found out of each block, and its last look at the mempool. Loop thread only."""

    def __init__(self) -> None:
        self._floors: dict[bytes, int] = {}
        """Of the blocks of the last answer."""
        self._offers: list[Offer] = []
        self._looked_at: tuple[int, float] | None = None
        """The mempool's revision and the loop's time."""

    async def rate(self, services: Services, target: int) -> int:
        """Base units a 1,000 bytes that a transfer should pay to be mined within `target` blocks."""
        limits = services.node.queries.mempool.limits
        floors = await self._recent_floors(services)
        room = min(target * services.settings.spec.max_block_bytes, limits.max_bytes - TRANSFER_BYTES - MAX_MEMO_BYTES)
        offers = await self._pending(services)
        return max(
            recent_rate(floors, target, limits.relay_fee),
            await asyncio.to_thread(overtaking_rate, offers, room, limits.relay_fee),
        )

    async def _recent_floors(self, services: Services) -> list[int]:
        """Of the last blocks; one whose body is not here any more is passed over."""
        queries, spec = services.node.queries, services.settings.spec
        tip = queries.tip.height
        entries = [queries.at(height) for height in range(max(1, tip - WINDOW + 1), tip + 1)]
        known: dict[bytes, int] = {}
        for entry in entries:
            if entry is None:
                continue
            floor = self._floors.get(entry.hash)
            if floor is None:
                raw = queries.raw_block(entry) or await services.body(entry.hash)
                if raw is None:
                    continue
                relay_fee = queries.mempool.limits.relay_fee
                floor = await asyncio.to_thread(_floor, raw, spec.max_block_bytes, relay_fee)
            known[entry.hash] = floor
        self._floors = known
        return list(known.values())

    async def _pending(self, services: Services) -> list[Offer]:
        mempool, now = services.node.queries.mempool, asyncio.get_running_loop().time()
        if self._looked_at is not None:
            revision, at = self._looked_at
            if revision == mempool.revision or now - at < FRESH_S:
                return self._offers
        self._looked_at = (mempool.revision, now)
        self._offers = await asyncio.to_thread(offers_of, list(mempool.entries()))
        return self._offers


def _floor(raw: bytes, max_block_bytes: int, relay_fee: int) -> int:
    return block_floor(decode_block(raw), max_block_bytes, relay_fee)
