"""Fee estimates: what a transfer had to pay in recent blocks, and what it has to pay to outbid the mempool.

Rates are base units per 1,000 bytes. The estimate for a target of N blocks is the higher of two: the rate that would
have been mined within N blocks, whenever in the recent past it was sent; and the rate that has less than N blocks of
the mempool ahead of it. This is arithmetic on the past, not a forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pychain.chain.block import Block
from pychain.chain.transaction import Transfer
from pychain.ledger.pending import Pending, fee_rate

WINDOW = 24
"""Recent blocks that count."""
FULL_PERCENT = 90
"""A block less full than this had room for everyone who paid the relay fee."""
CHEAPEST_PERCENT = 5
"""The cheapest part of a full block is skipped: those transfers may be the miner's own."""


class Offer(NamedTuple):
    """A transfer's fee rate and its size in bytes."""

    rate: int
    size: int


def block_floor(block: Block, max_block_bytes: int, relay_fee: int) -> int:
    """The lowest rate that got a transfer into a block."""
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
    """The lowest rate that was always mined within `target` blocks; `floors` are those of consecutive blocks."""
    runs = range(max(1, len(floors) - target + 1)) if floors else ()
    return max((min(floors[start : start + target]) for start in runs), default=relay_fee)


def offers_of(pending: Sequence[Pending]) -> list[Offer]:
    """The pending transfers, highest rate first."""
    return sorted((Offer(each.rate, len(each.transfer.raw)) for each in pending), reverse=True)


def overtaking_rate(offers: Sequence[Offer], room: int, relay_fee: int) -> int:
    """The rate at which less than `room` bytes are ahead; `offers` are sorted, highest rate first."""
    for offer in offers:
        room -= offer.size
        if room < 0:
            return max(offer.rate + 1, relay_fee)
    return relay_fee
