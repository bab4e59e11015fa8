"""Accounts: an address's balance, and the sequence of its next transfer.

`sequence` is the account's nonce, as geth calls it."""

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
"""Transactions in one answer: each may be in a different block, which has to be read."""

Sequence = Annotated[int, Meta(ge=0, description="the sequence (nonce) that the next transfer must have")]


class AccountView(Struct, kw_only=True):
    """An account in the state after the tip; an address that was never paid has zeros.

    `available` is the balance minus what the account's pending transfers spend. `immature` are mined rewards that are
    not credited yet. `next_sequence` is the next sequence (nonce) in the state; `pending_sequence` is the one after
    the account's transfers in the mempool.
    """

    address: Address
    public_key: Annotated[str, Meta(description="64 hex digits")]
    balance: Amount
    available: Amount
    immature: Amount
    next_sequence: Sequence
    pending_sequence: Sequence
    pending: Annotated[int, Meta(ge=0, description="the account's own transfers in the mempool")]


class AddressCheck(Struct, kw_only=True):
    """The check of an address. `address` is in this node's form."""

    isvalid: bool
    address: Address | UnsetType = UNSET
    public_key: Annotated[str, Meta(description="64 hex digits")] | UnsetType = UNSET
    error: str | UnsetType = UNSET


@group.method(errors={Code.INVALID_ADDRESS_OR_KEY: "not an address of this network"}, example=("dpyc1...",))
def getaccount(context: Context, address: Address) -> AccountView:
    """An account's balance, and the sequence (nonce) of its next transfer."""
    queries = context.queries
    key = key_of(context, address)
    account = queries.account(key)
    pending_sequence = queries.mempool.next_sequence(key)  # of the working tip, which may be slightly ahead
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
    """Whether a text is an address of this network that can be paid, and if not, why."""
    try:
        key = payable_key(context, address)
    except RpcError as error:
        return AddressCheck(isvalid=False, error=error.message)
    return AddressCheck(isvalid=True, address=encode_address(context.spec.hrp, key), public_key=key.hex())


@group.method(
    errors={
        Code.INVALID_ADDRESS_OR_KEY: "not an address of this network, or `before` is not in the active chain",
        Code.MISC_ERROR: "the body of a block is not available",
    },
    example=("dpyc1...", 10),
)
async def getaccounthistory(
    context: Context,
    address: Address,
    count: Annotated[int, Meta(ge=1, le=MAX_HISTORY, description="the most to return")] = 100,
    before: HashHex | None = None,
) -> list[HistoryView]:
    """An account's transactions in the active chain, newest first: sent, received and mined.

    For the next page give the last txid of this one as `before`. Pending transfers are only in the mempool.
    """
    return await account_history(context, address, count, before, lambda views: views)


async def account_history(
    context: Context,
    address: Address,
    count: int,
    before: HashHex | None,
    shape: Callable[[list[HistoryView]], Shape],
) -> Shape:
    """A page of an account's history in the requested shape, built and encoded on a thread."""
    queries = context.queries
    key = key_of(context, address)
    last = None if before is None else parse_hash_hex(before)
    if last is not None and queries.transaction(last) is None:
        raise RpcError(Code.INVALID_ADDRESS_OR_KEY, "No such transaction in the active chain")
    blocks = []
    for block_hash, places in groupby(queries.history(key, count, last), lambda place: place.block_hash):
        entry = queries.entry(block_hash)
        assert entry is not None, "the store has a connected block that the tree does not have"
        block = Confirmed(block_hash, entry.height, entry.header.time, queries.confirmations(entry))
        blocks.append((block, list(places)))
    hrp = queries.spec.hrp
    backend = context.backend
    return await rendered(backend, lambda: shape(_history(backend.read_body, hrp, key, blocks)))


@group.method(errors={Code.INVALID_ADDRESS_OR_KEY: "not an address of this network"}, example=("dpyc1...",))
def getaccountpending(context: Context, address: Address) -> list[PendingPaymentView]:
    """The account's transfers in the mempool, in the order of their sequences."""
    queries = context.queries
    return [pending_payment_view(queries.spec.hrp, each) for each in queries.mempool.queue(key_of(context, address))]


def _history(
    read: Callable[[bytes], bytes | None], hrp: str, key: bytes, blocks: list[tuple[Confirmed, list[TransactionPlace]]]
) -> list[HistoryView]:
    """The views of an account's transactions, reading and decoding one block at a time. It runs on a thread."""
    views = []
    for block, places in blocks:
        raw = read(block.hash)
        if raw is None:
            raise RpcError(Code.MISC_ERROR, f"Block not available (the body of block {block.height} is not stored)")
        transactions = decode_block(raw).transactions
        views += [history_view(hrp, key, transactions[place.position], block) for place in places]
    return views
