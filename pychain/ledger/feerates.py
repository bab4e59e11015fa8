"""Fee rates: what a transfer had to pay in recent blocks, and what it has to pay to overtake those that wait.

Rates are base units a 1,000 bytes. Two questions are asked and the dearer answer holds: what would have been mined
within so many blocks, whenever in the recent past it had been sent; and what is ahead of enough of the mempool that so
many blocks reach it. This is arithmetic on what happened, no forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pychain.chain.block import Block
from pychain.chain.transaction import Transfer
from pychain.ledger.pending import Pending, fee_rate

WINDOW = 24
"""Recent blocks that are looked at."""
FULL_PERCENT = 90
"""A block filled less had room for anybody who paid the relay fee."""
CHEAPEST_PERCENT = 5
"""The cheapest part of a full block says little: those transfers may have been the miner's own."""


class Offer(NamedTuple):
    """What a transfer pays a 1,000 bytes, and its bytes."""

    rate: int
    size: int


def block_floor(block: Block, max_block_bytes: int, relay_fee: int) -> int:
    """The rate that a transfer needed to be in a block."""
    offers = sorted(Offer(fee_rate(each), len(each.raw)) for each in block.transactions if isinstance(each, Transfer))
    if len(block.raw) * 100 < max_block_bytes * FULL_PERCENT:
        return relay_fee
    skipped = sum(offer.size for offer in offers) * CHEAPEST_PERCENT // 100
    for offer in offers:
        skipped -= offer.size
        if skipped < 0:
            return max(offer.rate, relay_fee)
    return relay_fee


def recent_rate(floors: Sequence[int], target: int, relay_fee: int) -> int:
    """The least rate that was mined within `target` blocks from any block of the past: `floors` are those of
    consecutive blocks."""
    runs = range(max(1, len(floors) - target + 1)) if floors else ()
    return max((min(floors[start : start + target]) for start in runs), default=relay_fee)


def offers_of(pending: Sequence[Pending]) -> list[Offer]:
    """What waits, the best paying first."""
    return sorted((Offer(each.rate, len(each.transfer.raw)) for each in pending), reverse=True)


def overtaking_rate(offers: Sequence[Offer], room: int, relay_fee: int) -> int:
    """The rate at which less than `room` bytes are ahead; `offers` come best first."""
    for offer in offers:
        room -= offer.size
        if room < 0:
            return max(offer.rate + 1, relay_fee)
    return relay_fee
