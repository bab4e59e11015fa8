"""Level 1, structure: the bytes decode and sizes are within limits. Needs only the spec's limits."""

from __future__ import annotations

from pychain.base.errors import DecodeError
from pychain.chain.block import Block, decode_block
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import (
    MAX_EXTRA_BYTES,
    MAX_MEMO_BYTES,
    MIN_EXTRA_BYTES,
    TRANSFER_BYTES,
    Coinbase,
    Transaction,
    Transfer,
    decode_transaction,
)
from pychain.consensus.rules import Rule, RuleError


def parse_block(spec: ChainSpec, raw: bytes) -> Block:
    """The block in `raw`. Its length is checked before it is decoded, the sizes of its parts later by `check_sizes`."""
    if len(raw) > spec.max_block_bytes:
        raise RuleError(Rule.BLOCK_LENGTH, f"{len(raw)} bytes, at most {spec.max_block_bytes}")
    try:
        return decode_block(raw)
    except DecodeError as error:
        raise RuleError(Rule.BLOCK_ENCODING, str(error)) from None


def parse_transaction(raw: bytes, txid: bytes | None = None) -> Transaction:
    """The transaction that is exactly `raw`, its sizes checked; `txid` is its id if already known."""
    try:
        transaction = decode_transaction(raw, txid)
    except DecodeError as error:
        raise RuleError(Rule.TX_ENCODING, str(error)) from None
    check_sizes(transaction)
    return transaction


def parse_transfer(raw: bytes, txid: bytes | None = None) -> Transfer:
    """As `parse_transaction`, for a transaction outside a block, which must not be a coinbase."""
    transaction = parse_transaction(raw, txid)
    if isinstance(transaction, Coinbase):
        raise RuleError(Rule.COINBASE_MULTIPLE, "a coinbase exists only inside its block")
    return transaction


def check_sizes(transaction: Transaction) -> None:
    """Check the sizes of the variable parts. In a block this comes after the merkle root: only a body with the right
    root can make the block invalid."""
    if isinstance(transaction, Coinbase):
        if not MIN_EXTRA_BYTES <= len(transaction.extra) <= MAX_EXTRA_BYTES:
            raise RuleError(Rule.COINBASE_EXTRA_LENGTH, f"{len(transaction.extra)} bytes of extra")
    elif len(transaction.raw) > TRANSFER_BYTES + MAX_MEMO_BYTES:
        raise memo_too_long(len(transaction.memo))


def memo_too_long(memo_bytes: int) -> RuleError:
    return RuleError(Rule.TX_MEMO_LENGTH, f"{memo_bytes} bytes of memo")
