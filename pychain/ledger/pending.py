"""Pending transfers, as the mempool keeps them and block templates select them."""

from __future__ import annotations

import msgspec

from pychain.chain.transaction import Transfer


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A transfer in the mempool. `since` is the wall second of its arrival."""

    transfer: Transfer
    since: int

    @property
    def rate(self) -> int:
        """Its fee in base units per 1,000 bytes, rounded down."""
        return fee_rate(self.transfer)

    @property
    def cost(self) -> int:
        """Amount and fee: what its sender's balance must cover."""
        return self.transfer.amount + self.transfer.fee


Queue = tuple[Pending, ...]
"""An account's pending transfers in sequence order. Immutable: a change makes a new one."""


def fee_rate(transfer: Transfer) -> int:
    """Base units per 1,000 bytes, rounded down."""
    return transfer.fee * 1000 // len(transfer.raw)


def cost_of(queue: Queue) -> int:
    """The cost of all transfers of a queue together."""
    return sum([pending.transfer.amount + pending.transfer.fee for pending in queue])
