"""Transactions in the API."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from pychain.api.types import Address, Amount, Bytes, FeeRate, HashHex, Height, Hex, UnixTime
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.transaction import Transaction, Transfer
from pychain.ledger.pending import Pending
from pychain.ledger.tree import Entry
from pychain.node.queries import Queries

Confirmations = Annotated[int, Meta(description="1 in the tip, -1 off the active chain, 0 in the mempool")]


class _Transaction(Struct, kw_only=True):
    """The fields of both kinds. The last four are the position in the chain; only getrawtransaction returns them."""

    txid: HashHex
    size: Bytes
    recipient: Address
    amount: Amount
    hex: Hex
    confirmations: Confirmations | UnsetType = UNSET
    blockhash: HashHex | UnsetType = UNSET
    blockheight: Height | UnsetType = UNSET
    blocktime: UnixTime | UnsetType = UNSET


class TransferView(_Transaction, kw_only=True, tag_field="type", tag="transfer"):
    """A transfer."""

    sender: Address
    sequence: int
    fee: Amount
    memo: Hex
    signature: Hex


class CoinbaseView(_Transaction, kw_only=True, tag_field="type", tag="coinbase"):
    """A coinbase: a block's payment to its miner."""

    height: Height
    extra: Hex


class PendingPaymentView(Struct, kw_only=True):
    """A transfer in the mempool, listed for its sender. `time` is its arrival."""

    txid: HashHex
    time: UnixTime
    sequence: int
    recipient: Address
    amount: Amount
    fee: Amount
    memo: Hex


TransactionView = TransferView | CoinbaseView


class PendingView(Struct, kw_only=True):
    """A transfer in the mempool. `time` is its arrival."""

    size: Bytes
    fee: Amount
    feerate: FeeRate
    time: UnixTime
    sender: Address
    sequence: int


def transaction_view(hrp: str, transaction: Transaction) -> TransactionView:
    if isinstance(transaction, Transfer):
        return TransferView(
            txid=hash_hex(transaction.txid),
            size=len(transaction.raw),
            sender=encode_address(hrp, transaction.sender),
            sequence=transaction.sequence,
            recipient=encode_address(hrp, transaction.recipient),
            amount=transaction.amount,
            fee=transaction.fee,
            memo=transaction.memo.hex(),
            signature=transaction.signature.hex(),
            hex=transaction.raw.hex(),
        )
    return CoinbaseView(
        txid=hash_hex(transaction.txid),
        size=len(transaction.raw),
        height=transaction.height,
        recipient=encode_address(hrp, transaction.recipient),
        amount=transaction.amount,
        extra=transaction.extra.hex(),
        hex=transaction.raw.hex(),
    )


def located(view: TransactionView, queries: Queries, entry: Entry | None) -> TransactionView:
    """The view with its position: in a block, or (None) in the mempool."""
    if entry is None:
        return structs.replace(view, confirmations=0)
    return structs.replace(
        view,
        confirmations=queries.confirmations(entry),
        blockhash=hash_hex(entry.hash),
        blockheight=entry.height,
        blocktime=entry.header.time,
    )


def pending_view(hrp: str, pending: Pending) -> PendingView:
    transfer = pending.transfer
    return PendingView(
        size=len(transfer.raw),
        fee=transfer.fee,
        feerate=pending.rate,
        time=pending.since,
        sender=encode_address(hrp, transfer.sender),
        sequence=transfer.sequence,
    )


def pending_payment_view(hrp: str, pending: Pending) -> PendingPaymentView:
    transfer = pending.transfer
    return PendingPaymentView(
        txid=hash_hex(transfer.txid),
        time=pending.since,
        sequence=transfer.sequence,
        recipient=encode_address(hrp, transfer.recipient),
        amount=transfer.amount,
        fee=transfer.fee,
        memo=transfer.memo.hex(),
    )
