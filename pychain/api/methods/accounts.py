"""Accounts: what an address has, and what its next transfer must carry."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Annotated, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from pychain.api.context import Context
from pychain.api.errors import Code, RpcError
from pychain.api.method import Group
from pychain.api.methods.lookups import key_of, payable_key
from pychain.api.render import rendered
from pychain.api.types import Address, Amount, HashHex
from pychain.api.views.history import Confirmed, HistoryView, history_view
from pychain.api.views.transactions import PendingPaymentView, pending_payment_view
from pychain.chain.address import encode_address
from pychain.chain.block import decode_block
from pychain.chain.hashes import parse_hash_hex
from pychain.ledger.store import TransactionPlace

group = Group("accounts", "Accounts")

Shape = TypeVar("Shape")

MAX_HISTORY = 1_000
"""Transactions in one answer: each may lie in a block of its own, which is read for it."""

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


class AddressCheck(Struct, kw_only=True):
    """What an address is. `address` is as this node writes it."""

    isvalid: bool
    address: Address | UnsetType = UNSET
    public_key: Annotated[str, Meta(description="64 hex digits")] | UnsetType = UNSET
    error: str | UnsetType = UNSET


@group.method(errors={Code.INVALID_ADDRESS_OR_KEY: "no address of this network"}, example=("dpyc1...",))
def getaccount(context: Context, address: Address) -> AccountView:
    """An account's balance, and the sequence of its next transfer."""
    queries = context.queries
    key = key_of(context, address)
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


@group.method(example=("dpyc1...",))
def validateaddress(context: Context, address: Annotated[str, Meta(max_length=1000)]) -> AddressCheck:
    """Whether a text is an address of this network that coins may be paid to, and why not."""
    try:
        key = payable_key(context, address)
    except RpcError as error:
        return AddressCheck(isvalid=False, error=error.message)
    return AddressCheck(isvalid=True, address=encode_address(context.spec.hrp, key), public_key=key.hex())


@group.method(
    errors={
        Code.INVALID_ADDRESS_OR_KEY: "no address of this network, or `before` is not in the active chain",
        Code.MISC_ERROR: "the body of a block is not available",
    },
    example=("dpyc1...", 10),
)
async def getaccounthistory(
    context: Context,
    address: Address,
    count: Annotated[int, Meta(ge=1, le=MAX_HISTORY, description="at most so many")] = 100,
    before: HashHex | None = None,
) -> list[HistoryView]:
    """An account's transactions in the active chain, newest first: what it sent, received and mined.

    For the next page give the last txid of this one as `before`. Pending transfers are in the mempool alone.
    """
    return await account_history(context, address, count, before, lambda views: views)


async def account_history(
    context: Context,
    address: Address,
    count: int,
    before: HashHex | None,
    shape: Callable[[list[HistoryView]], Shape],
) -> Shape:
    """A page of an account's history in the shape that is asked for, made and encoded aside."""
    queries = context.queries
    key = key_of(context, address)
    last = None if before is None else parse_hash_hex(before)
    if last is not None and queries.transaction(last) is None:
        raise RpcError(Code.INVALID_ADDRESS_OR_KEY, "No such transaction in the active chain to go on from")
    blocks = []
    for block_hash, places in groupby(queries.history(key, count, last), lambda place: place.block_hash):
        entry = queries.entry(block_hash)
        assert entry is not None, "the store has a block connected that the tree does not know"
        block = Confirmed(block_hash, entry.height, entry.header.time, queries.confirmations(entry))
        blocks.append((block, list(places)))
    hrp = queries.spec.hrp
    backend = context.backend
    return await rendered(backend, lambda: shape(_history(backend.read_body, hrp, key, blocks)))


@group.method(errors={Code.INVALID_ADDRESS_OR_KEY: "no address of this network"}, example=("dpyc1...",))
def getaccountpending(context: Context, address: Address) -> list[PendingPaymentView]:
    """What an account sends that waits in the mempool, in the order of its sequences."""
    queries = context.queries
    return [pending_payment_view(queries.spec.hrp, each) for each in queries.mempool.queue(key_of(context, address))]


def _history(
    read: Callable[[bytes], bytes | None], hrp: str, key: bytes, blocks: list[tuple[Confirmed, list[TransactionPlace]]]
) -> list[HistoryView]:
    """The views of an account's transactions, a block read and decoded at a time. For work aside."""
    views = []
    for block, places in blocks:
        raw = read(block.hash)
        if raw is None:
            raise RpcError(Code.MISC_ERROR, f"Block not available (the body of block {block.height} is not stored)")
        transactions = decode_block(raw).transactions
        views += [history_view(hrp, key, transactions[place.position], block) for place in places]
    return views
