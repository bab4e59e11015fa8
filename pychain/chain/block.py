"""A block: `80 header | CompactSize tx_count (minimal form) | transactions`, Bitcoin's framing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from pychain import native
from pychain.base.codec import Reader, compact_size
from pychain.base.errors import DecodeError
from pychain.chain.header import HEADER_BYTES, Header, decode_header
from pychain.chain.transaction import (
    MIN_TRANSACTION_BYTES,
    Transaction,
    build_transaction,
    transaction_end,
)


class Block(msgspec.Struct, frozen=True):
    """A header and its transactions as they decode; whether the first is a coinbase is for the rules to say."""

    raw: bytes
    header: Header
    transactions: tuple[Transaction, ...]

    @property
    def hash(self) -> bytes:
        return self.header.hash

    @property
    def txids(self) -> bytes:
        """All transaction ids, joined: the leaves of the merkle tree."""
        return b"".join([transaction.txid for transaction in self.transactions])


def new_block(header: Header, transactions: Sequence[Transaction]) -> Block:
    """The block of these parts, its bytes joined."""
    body = b"".join([transaction.raw for transaction in transactions])
    return Block(header.raw + compact_size(len(transactions)) + body, header, tuple(transactions))


def decode_block(raw: bytes) -> Block:
    """The block that is exactly `raw`. The count is held against the bytes left before anything is allocated for it."""
    header = decode_header(raw[:HEADER_BYTES])
    reader = Reader(raw, HEADER_BYTES)
    count = reader.compact_size()
    if count > reader.remaining // MIN_TRANSACTION_BYTES:
        raise DecodeError(f"{count} transactions cannot fit in {reader.remaining} bytes")
    offsets = [reader.position]
    for _ in range(count):
        offsets.append(transaction_end(raw, offsets[-1]))
    if offsets[-1] != len(raw):
        raise DecodeError(f"{len(raw) - offsets[-1]} trailing bytes after the last transaction")
    txids = native.sha256d_many(raw, offsets)
    transactions = tuple(
        build_transaction(raw[start:end], txids[32 * i : 32 * i + 32])
        for i, (start, end) in enumerate(pairwise(offsets))
    )
    return Block(raw, header, transactions)
