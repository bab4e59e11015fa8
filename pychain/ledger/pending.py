"""Pending transfers, as the mempool keeps them and templates choose among them."""

from __future__ import annotations

import msgspec

from pychain.chain.transaction import Transfer


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A transfer in the mempool. `since` is the wall second of its arrival."""

    transfer: Transfer
    since: int

    @property
    def rate(self) -> int:
        """Its fee in base units a 1,000 bytes, rounded down."""
        return fee_rate(self.transfer)

    @property
    def cost(self) -> int:
        """What it takes from its sender's balance."""
        return self.transfer.amount + self.transfer.fee


Queue = tuple[Pending, ...]
"""An account's pending transfers in sequence order. A change makes a new one, so whoever holds one may keep it."""


def fee_rate(transfer: Transfer) -> int:
    """Base units a 1,000 bytes, rounded down."""
    return transfer.fee * 1000 // len(transfer.raw)


def cost_of(queue: Queue) -> int:
    """What all of a queue takes from its account's balance."""
    return sum([pending.transfer.amount + pending.transfer.fee for pending in queue])
