"""A block: `80 header | CompactSize tx_count (minimal form) | transactions`, Bitcoin's framing.

A block of thousands is looked at in bulk by the C core: where each transaction lies, their ids, what the transfers say.
Single `Transaction` objects are made when somebody asks for them, which validation and connecting do not.
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
"""What one transfer does: sender and recipient as indexes into a block's `accounts`, sequence, amount, fee."""

_MOVE = struct.Struct("=IIQQQ")


class Block:
    """A header and its transactions as they decode; whether the first is a coinbase is for the rules to say.

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
        """How many transactions there are."""
        first = self.transaction(0) if self.count else None
        self.coinbase = first if isinstance(first, Coinbase) else None
        """The first transaction, if that is what it is."""
        self._moves_and_keys: tuple[list[Move], list[bytes]] | None = None if self.count > 1 else ([], [])

    @cached_property
    def transactions(self) -> tuple[Transaction, ...]:
        return tuple([self.transaction(position) for position in range(self.count)])

    def transaction(self, position: int) -> Transaction:
        """The transaction at a position (0 to count - 1), made anew each time."""
        raw = self.raw[self.offsets[position] : self.offsets[position + 1]]
        return build_transaction(raw, self.txids[HASH_BYTES * position : HASH_BYTES * (position + 1)])

    def txid_list(self) -> list[bytes]:
        """The ids one by one."""
        return split_hashes(self.txids)

    # --- what the transactions after the first do, all of them transfers (ValueError where one is not)

    @property
    def moves(self) -> list[Move]:
        """What each transfer does, in order."""
        return self._look()[0]

    @property
    def accounts(self) -> list[bytes]:
        """The accounts that transfers name, each once, in the order of first appearance, senders before recipients."""
        return self._look()[1]

    def _look(self) -> tuple[list[Move], list[bytes]]:
        """Any thread; one that asks first makes it for the others."""
        seen = self._moves_and_keys
        if seen is None:
            rows, keys = native.transfer_rows(self.raw, self.offsets[1:])
            seen = list(_MOVE.iter_unpack(rows)), split_hashes(keys)
            self._moves_and_keys = seen
        return seen

    def forget_moves(self) -> None:
        """Let go of what can be worked out again: it takes several times the room of the raw block."""
        if self.count > 1:
            self._moves_and_keys = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Block) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.header.hash)

    def __repr__(self) -> str:
        return f"<Block {self.hash[::-1].hex()}, {len(self.raw)} bytes>"


def new_block(header: Header, transactions: Sequence[Transaction]) -> Block:
    """The block of these parts, its bytes joined."""
    raws = [transaction.raw for transaction in transactions]
    head = header.raw + compact_size(len(raws))
    offsets = array("I", [len(head)])
    for raw in raws:
        offsets.append(offsets[-1] + len(raw))
    return Block(head + b"".join(raws), header, offsets, b"".join([transaction.txid for transaction in transactions]))


def decode_block(raw: bytes) -> Block:
    """The block that is exactly `raw`. The count is held against the bytes left before anything is allocated for it."""
    header = decode_header(raw[:HEADER_BYTES])
    reader = Reader(raw, HEADER_BYTES)
    count = reader.compact_size()
    if count > reader.remaining // MIN_TRANSACTION_BYTES:
        raise DecodeError(f"{count} transactions cannot fit in {reader.remaining} bytes")
    offsets = native.transaction_offsets(raw, reader.position, count)
    if len(offsets) <= count:
        transaction_end(raw, offsets[-1])  # says what is wrong with it
        raise AssertionError("the core and the decoder see different transactions")
    if offsets[-1] != len(raw):
        raise DecodeError(f"{len(raw) - offsets[-1]} trailing bytes after the last transaction")
    return Block(raw, header, offsets, native.sha256d_many(raw, offsets))
