"""Transactions: a transfer signed by its sender, or the coinbase at the beginning of a block."""

from __future__ import annotations

from dataclasses import dataclass

from tests.specification.encoding import U64_MAX, EncodingError, Reader
from tests.specification.hashing import sha256d
from tests.specification.network import Network
from tests.specification.rules import BrokenRuleError, require
from tests.specification.signatures import is_valid

MIN_TRANSACTION_BYTES = 78
MAX_MEMO_BYTES = 512
MIN_EXTRA_BYTES, MAX_EXTRA_BYTES = 32, 100
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Transfer:
    raw: bytes
    sender: bytes
    sequence: int
    recipient: bytes
    amount: int
    fee: int
    memo: bytes
    signature: bytes

    @property
    def txid(self) -> bytes:
        return sha256d(self.raw)


@dataclass(frozen=True)
class Coinbase:
    raw: bytes
    height: int
    recipient: bytes
    amount: int
    extra: bytes

    @property
    def txid(self) -> bytes:
        return sha256d(self.raw)


Transaction = Transfer | Coinbase


def read_transaction(reader: Reader) -> Transaction:
    start = reader.position
    kind = reader.unsigned(1)
    if kind == 0:
        height, recipient, amount = reader.unsigned(4), reader.take(32), reader.unsigned(8)
        extra = reader.take(reader.unsigned(1))
        return Coinbase(reader.data[start : reader.position], height, recipient, amount, extra)
    if kind == 1:
        sender, sequence, recipient = reader.take(32), reader.unsigned(8), reader.take(32)
        amount, fee = reader.unsigned(8), reader.unsigned(8)
        memo = reader.take(reader.unsigned(2))
        signature = reader.take(SIGNATURE_BYTES)
        raw = reader.data[start : reader.position]
        return Transfer(raw, sender, sequence, recipient, amount, fee, memo, signature)
    raise EncodingError(f"transaction type {kind}")


def check_sizes(transaction: Transaction) -> None:
    if isinstance(transaction, Coinbase):
        require(MIN_EXTRA_BYTES <= len(transaction.extra) <= MAX_EXTRA_BYTES, "bad-cb-length")
    else:
        require(len(transaction.memo) <= MAX_MEMO_BYTES, "bad-tx-memo-length")


def check_bounds(transfer: Transfer) -> None:
    require(transfer.sequence != U64_MAX, "bad-tx-sequence-limit")
    require(transfer.amount + transfer.fee <= U64_MAX, "bad-tx-amount-overflow")


def check_signature(network: Network, transfer: Transfer) -> None:
    """The sender signed every byte before the signature, for this chain."""
    message = b"pychain/transfer/v1" + network.genesis_hash + transfer.raw[:-SIGNATURE_BYTES]
    require(is_valid(transfer.sender, message, transfer.signature), "bad-tx-signature")


def check_lone_transaction(network: Network, raw: bytes) -> None:
    """Check a transaction outside a block."""
    reader = Reader(raw)
    try:
        transaction = read_transaction(reader)
        reader.finish()
    except EncodingError:
        raise BrokenRuleError("bad-tx-encoding") from None
    check_sizes(transaction)
    if isinstance(transaction, Coinbase):  # it is only valid as the first one of a block
        raise BrokenRuleError("bad-cb-multiple")
    check_bounds(transaction)
    check_signature(network, transaction)
