"""Transactions and accounts as resources: in blocks, in the mempool, and by address."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct, structs

from pychain.api.context import Context
from pychain.api.endpoint import Resources
from pychain.api.errors import Code
from pychain.api.methods import accounts, mempool
from pychain.api.methods.accounts import MAX_HISTORY, AccountView
from pychain.api.methods.mempool import MempoolInfo
from pychain.api.types import Address, Amount, Bytes, Count, FeeRate, HashHex
from pychain.api.views.history import HistoryView
from pychain.api.views.transactions import CoinbaseView, PendingView, TransferView, pending_view
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.ledger.pending import Pending

ledger = Resources("Transactions and accounts")

NO_ADDRESS = {Code.INVALID_ADDRESS_OR_KEY: "not an address of this network"}
MAX_PENDING_SHOWN = 10_000
"""How far pages go into the mempool; nobody reads further, and selecting the best of many costs time."""


class HistoryPage(Struct, kw_only=True):
    """Transactions of an account, newest first. `next` is the `before` of the page after it, null on the last."""

    transactions: list[HistoryView]
    next: HashHex | None


class FeeBand(Struct, kw_only=True):
    """Transfers that pay at least `feerate` and less than the next band."""

    feerate: FeeRate
    count: Count
    bytes: Bytes


class PendingTransfer(PendingView, kw_only=True):
    """A transfer in the mempool."""

    txid: HashHex
    recipient: Address
    amount: Amount


class MempoolView(MempoolInfo, kw_only=True):
    """The mempool, highest fee rates first. `bands` have doubling fee rates, the lowest first."""

    bands: list[FeeBand]
    transactions: list[PendingTransfer]


@ledger.get("/tx/{txid}", errors={Code.INVALID_ADDRESS_OR_KEY: "no such transaction"}, example=("00" * 32,))
async def tx(context: Context, txid: HashHex) -> TransferView | CoinbaseView:
    """A transaction of the mempool (`confirmations` 0) or of the active chain, with its position there."""
    view = await mempool.getrawtransaction(context, txid, True)
    assert not isinstance(view, str)
    return view


@ledger.get(
    "/account/{address}", errors={Code.INVALID_ADDRESS_OR_KEY: "not an address of this network"}, example=("dpyc1...",)
)
def account(context: Context, address: Address) -> AccountView:
    """An account's balance, and the sequence (nonce) of its next transfer. An address that was never paid has zeros."""
    return accounts.getaccount(context, address)


@ledger.get("/account/{address}/history", errors=NO_ADDRESS, example=("dpyc1...",))
async def history(
    context: Context,
    address: Address,
    before: Annotated[HashHex, Meta(description="only transactions older than this txid")] | None = None,
    limit: Annotated[int, Meta(ge=1, le=MAX_HISTORY)] = 25,
) -> HistoryPage:
    """An account's transactions in the active chain, newest first: sent, received and mined."""

    def page(views: list[HistoryView]) -> HistoryPage:
        return HistoryPage(transactions=views, next=views[-1].txid if len(views) == limit else None)

    return await accounts.account_history(context, address, limit, before, page)


@ledger.get("/mempool")
async def mempool_view(
    context: Context,
    offset: Annotated[int, Meta(ge=0, le=MAX_PENDING_SHOWN)] = 0,
    limit: Annotated[int, Meta(ge=0, le=500)] = 100,
) -> MempoolView:
    """The transfers in the mempool, highest fee rates first, and their sizes by fee rate."""
    info = mempool.getmempoolinfo(context)
    entries = list(context.queries.mempool.entries())
    return await context.backend.aside(lambda: _mempool(context.spec.hrp, info, entries, offset, limit))


def _mempool(hrp: str, info: MempoolInfo, entries: Sequence[Pending], offset: int, limit: int) -> MempoolView:
    """Reads nothing that the node changes: it may run on a thread."""
    best = heapq.nlargest(offset + limit, entries, key=lambda each: each.rate)[offset:]
    bands: dict[int, FeeBand] = {}
    for pending in entries:
        rate = pending.rate
        floor = 1 << (rate.bit_length() - 1) if rate else 0
        band = bands.get(floor)
        if band is None:
            band = bands[floor] = FeeBand(feerate=floor, count=0, bytes=0)
        band.count += 1
        band.bytes += len(pending.transfer.raw)
    return MempoolView(
        **structs.asdict(info),
        bands=[bands[floor] for floor in sorted(bands)],
        transactions=[_pending(hrp, pending) for pending in best],
    )


def _pending(hrp: str, pending: Pending) -> PendingTransfer:
    transfer = pending.transfer
    return PendingTransfer(
        **structs.asdict(pending_view(hrp, pending)),
        txid=hash_hex(transfer.txid),
        recipient=encode_address(hrp, transfer.recipient),
        amount=transfer.amount,
    )
