"""Accounts: what an address has, and what its next transfer must carry."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pychain.chain.address import encode_address
from pychain.daemon.api.errors import Code
from pychain.daemon.api.method import Group
from pychain.daemon.api.methods.lookups import key_of
from pychain.daemon.api.types import Address, Amount
from pychain.daemon.services import Services

group = Group("accounts", "Accounts")

Sequence = Annotated[int, Meta(ge=0, description="what the next transfer must carry")]


class AccountView(Struct, kw_only=True):
    """An account in the state after the tip; what was never paid to has zeros.

    `available` is the balance less all that the account's pending transfers spend. `immature` are rewards that were
    mined and not credited yet. `next_sequence` is what the state demands of the next transfer; `pending_sequence`
    follows those in the mempool.
    """

    address: Address
    public_key: Annotated[str, Meta(description="64 hex digits")]
    balance: Amount
    available: Amount
    immature: Amount
    next_sequence: Sequence
    pending_sequence: Sequence
    pending: Annotated[int, Meta(ge=0, description="transfers in the mempool that the account sends")]


@group.method(errors={Code.INVALID_ADDRESS_OR_KEY: "no address of this network"}, example=("dpyc1...",))
def getaccount(services: Services, address: Address) -> AccountView:
    """An account's balance, and the sequence of its next transfer."""
    queries = services.node.queries
    key = key_of(services, address)
    account = queries.account(key)
    pending_sequence = queries.mempool.next_sequence(key)  # of the working tip, which may be a moment ahead
    queue = queries.mempool.queue(key)
    return AccountView(
        address=encode_address(queries.spec.hrp, key),
        public_key=key.hex(),
        balance=account.balance,
        available=max(0, account.balance - sum(pending.cost for pending in queue)),
        immature=queries.immature(key),
        next_sequence=account.sequence,
        pending_sequence=pending_sequence,
        pending=len(queue),
    )
