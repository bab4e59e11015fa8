"""An account's transactions from the account's side."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from pychain.api.types import Address, Amount, HashHex, Height, Hex, UnixTime
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.transaction import Transaction, Transfer

Direction = Annotated[
    Literal["in", "out", "self", "mined"],
    Meta(description="received, sent, sent to itself, or the reward of a mined block"),
]


class HistoryView(Struct, kw_only=True):
    """One transaction of an account. `counterparty` is the other account of a transfer, `fee` what its sender paid."""

    txid: HashHex
    height: Height
    blockhash: HashHex
    time: UnixTime
    direction: Direction
    counterparty: Address | None
    amount: Amount
    fee: Amount
    memo: Hex
    confirmations: Annotated[int, Meta(ge=1, description="1 in the tip")]


class Confirmed(NamedTuple):
    """The block of an entry of the history."""

    hash: bytes
    height: int
    time: int
    confirmations: int


def history_view(hrp: str, key: bytes, transaction: Transaction, block: Confirmed) -> HistoryView:
    """A transaction from or to `key`."""
    direction: Direction = "mined"
    counterparty, fee, memo = None, 0, b""
    if isinstance(transaction, Transfer):
        fee, memo = transaction.fee, transaction.memo
        if transaction.sender == transaction.recipient:
            direction = "self"
        elif transaction.sender == key:
            direction, counterparty = "out", encode_address(hrp, transaction.recipient)
        else:
            direction, counterparty = "in", encode_address(hrp, transaction.sender)
    return HistoryView(
        txid=hash_hex(transaction.txid),
        height=block.height,
        blockhash=hash_hex(block.hash),
        time=block.time,
        direction=direction,
        counterparty=counterparty,
        amount=transaction.amount,
        fee=fee,
        memo=memo.hex(),
        confirmations=block.confirmations,
    )
