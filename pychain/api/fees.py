"""Fee suggestions of a running node, from its recent blocks and its mempool."""

from __future__ import annotations

from pychain.api.backend import Backend
from pychain.base.time import seconds
from pychain.chain.block import decode_block
from pychain.chain.transaction import MAX_MEMO_BYTES, TRANSFER_BYTES
from pychain.ledger.feerates import WINDOW, Offer, block_floor, offers_of, overtaking_rate, recent_rate

FRESH_NS = seconds(2)
"""How long one scan of the mempool is used: sorting a full one takes a while on a thread."""


class FeeEstimator:
    """Caches its results for each block, and its last scan of the mempool."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._floors: dict[bytes, int] = {}
        """The rates of the last answer's blocks."""
        self._offers: list[Offer] = []
        self._looked_at: tuple[int, int] | None = None
        """The mempool's revision at the last scan, and the time (monotonic ns)."""

    async def rate(self, target: int) -> int:
        """Base units per 1,000 bytes that a transfer should pay to be mined within `target` blocks."""
        queries = self._backend.queries
        limits = queries.mempool.limits
        floors = await self._recent_floors()
        room = min(target * queries.spec.max_block_bytes, limits.max_bytes - TRANSFER_BYTES - MAX_MEMO_BYTES)
        offers = await self._pending()
        return max(
            recent_rate(floors, target, limits.relay_fee),
            await self._backend.aside(lambda: overtaking_rate(offers, room, limits.relay_fee)),
        )

    async def _recent_floors(self) -> list[int]:
        """The rates of the last blocks; blocks whose body is no longer stored are skipped."""
        queries = self._backend.queries
        tip = queries.tip.height
        entries = [queries.at(height) for height in range(max(1, tip - WINDOW + 1), tip + 1)]
        known: dict[bytes, int] = {}
        for entry in entries:
            if entry is None:
                continue
            floor = self._floors.get(entry.hash)
            if floor is None:
                raw = queries.raw_block(entry) or await self._backend.body(entry.hash)
                if raw is None:
                    continue
                floor = await self._floor(raw)
            known[entry.hash] = floor
        self._floors = known
        return list(known.values())

    async def _floor(self, raw: bytes) -> int:
        queries = self._backend.queries
        max_bytes, relay_fee = queries.spec.max_block_bytes, queries.mempool.limits.relay_fee
        return await self._backend.aside(lambda: block_floor(decode_block(raw), max_bytes, relay_fee))

    async def _pending(self) -> list[Offer]:
        mempool, now_ns = self._backend.queries.mempool, self._backend.clock.mono_ns()
        if self._looked_at is not None:
            revision, at_ns = self._looked_at
            if revision == mempool.revision or now_ns - at_ns < FRESH_NS:
                return self._offers
        self._looked_at = (mempool.revision, now_ns)
        entries = list(mempool.entries())
        self._offers = await self._backend.aside(lambda: offers_of(entries))
        return self._offers
