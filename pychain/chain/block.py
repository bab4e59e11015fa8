"""A block: `80 header | CompactSize tx_count (minimal form) | transactions`, Bitcoin's framing.

The C core reads a block's transactions in bulk: their offsets, their ids, the transfers' fields. Single `Transaction`
objects are made only on request, which validation and connecting never do.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from functools import cached_property

from pychain import native
from pychain.base.codec import Reader, compact_size
from pychain.base.errors import DecodeError
from pychain.chain.hashes import HASH_BYTES, split_hashes
from pychain.chain.header import HEADER_BYTES, Header, decode_header
from pychain.chain.transaction import (
    MIN_TRANSACTION_BYTES,
    Coinbase,
    Transaction,
    build_transaction,
    transaction_end,
)

Move = tuple[int, int, int, int, int]
"""The effect of a transfer: sender and recipient as indexes into a block's `accounts`, sequence, amount, fee."""

_MAX_COUNT_BYTES = 9
"""Of a CompactSize."""
HEAD_BYTES = HEADER_BYTES + _MAX_COUNT_BYTES + MIN_TRANSACTION_BYTES
"""Of a block, that surely hold its header and the height that its coinbase names."""

_MOVE = struct.Struct("=IIQQQ")


class Block:
    """A header and its decoded transactions; the rules check whether the first is a coinbase.

    raw: the whole block. offsets: where in `raw` each transaction begins, and where the last one ends. txids: all
    transaction ids (32 bytes each), joined: the leaves of the merkle tree.
    """

    def __init__(self, raw: bytes, header: Header, offsets: array[int], txids: bytes) -> None:
        self.raw = raw
        self.header = header
        self.hash = header.hash
        self.offsets = offsets
        self.txids = txids
        self.count = len(offsets) - 1
        """The number of transactions."""
        first = self.transaction(0) if self.count else None
        self.coinbase = first if isinstance(first, Coinbase) else None
        """The coinbase, if the first transaction is one."""
        self._moves_and_keys: tuple[list[Move], list[bytes]] | None = None if self.count > 1 else ([], [])

    @cached_property
    def transactions(self) -> tuple[Transaction, ...]:
        return tuple([self.transaction(position) for position in range(self.count)])

    def transaction(self, position: int) -> Transaction:
        """The transaction at a position (0 to count - 1), decoded at each call."""
        raw = self.raw[self.offsets[position] : self.offsets[position + 1]]
        return build_transaction(raw, self.txids[HASH_BYTES * position : HASH_BYTES * (position + 1)])

    def txid_list(self) -> list[bytes]:
        """The ids one by one."""
        return split_hashes(self.txids)

    # --- effects of the transactions after the first, all of them transfers (ValueError if one is not)

    @property
    def moves(self) -> list[Move]:
        """The effect of each transfer, in order."""
        return self._look()[0]

    @property
    def accounts(self) -> list[bytes]:
        """The accounts that transfers name, each once, in the order of first appearance, senders before recipients."""
        return self._look()[1]

    def _look(self) -> tuple[list[Move], list[bytes]]:
        """Any thread may call it; the first call computes it for all."""
        seen = self._moves_and_keys
        if seen is None:
            rows, keys = native.transfer_rows(self.raw, self.offsets[1:])
            seen = list(_MOVE.iter_unpack(rows)), split_hashes(keys)
            self._moves_and_keys = seen
        return seen

    def forget_moves(self) -> None:
        """Drop what can be recomputed: it takes several times the memory of the raw block."""
        if self.count > 1:
            self._moves_and_keys = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Block) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.header.hash)

    def __repr__(self) -> str:
        return f"<Block {self.hash[::-1].hex()}, {len(self.raw)} bytes>"


def new_block(header: Header, transactions: Sequence[Transaction]) -> Block:
    """The block made of these parts, serialized."""
    raws = [transaction.raw for transaction in transactions]
    head = header.raw + compact_size(len(raws))
    offsets = array("I", [len(head)])
    for raw in raws:
        offsets.append(offsets[-1] + len(raw))
    return Block(head + b"".join(raws), header, offsets, b"".join([transaction.txid for transaction in transactions]))


def decode_block(raw: bytes) -> Block:
    """The block that is exactly `raw`. The count is checked against the bytes left before anything is allocated."""
    header = decode_header(raw[:HEADER_BYTES])
    reader = Reader(raw, HEADER_BYTES)
    count = reader.compact_size()
    if count > reader.remaining // MIN_TRANSACTION_BYTES:
        raise DecodeError(f"{count} transactions cannot fit in {reader.remaining} bytes")
    offsets = native.transaction_offsets(raw, reader.position, count)
    if len(offsets) <= count:
        transaction_end(raw, offsets[-1])  # raises the error that says what is wrong
        raise AssertionError("the core and the decoder see different transactions")
    if offsets[-1] != len(raw):
        raise DecodeError(f"{len(raw) - offsets[-1]} trailing bytes after the last transaction")
    return Block(raw, header, offsets, native.sha256d_many(raw, offsets))


def named_height(raw: bytes) -> int:
    """The height that a block's coinbase names, from the block's first `HEAD_BYTES`. It is not decoded any further."""
    reader = Reader(raw, HEADER_BYTES)
    reader.compact_size()
    reader.u8()
    return reader.u32()
