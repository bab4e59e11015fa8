"""Transactions: one byte of type, then fixed fields, no padding, no trailing bytes. txid = sha256d(all bytes).

Transfer, 155 bytes + memo:
    u8 type=1 | 32 sender | u64 sequence | 32 recipient | u64 amount | u64 fee | u16 memo_len | memo | 64 signature
Coinbase, 46 bytes + extra:
    u8 type=0 | u32 height | 32 recipient | u64 amount | u8 extra_len | extra
"""

from __future__ import annotations

import struct

import msgspec

from pychain import native
from pychain.base.codec import Reader
from pychain.base.errors import DecodeError

COINBASE_TYPE = 0
TRANSFER_TYPE = 1
KEY_BYTES = 32
SIGNATURE_BYTES = 64
TRANSFER_BYTES = 155
"""A transfer without memo."""
COINBASE_BYTES = 46
"""A coinbase without extra."""

MIN_EXTRA_BYTES = 32
MAX_EXTRA_BYTES = 100
"""With these a coinbase has 78 to 146 bytes: never the 64 of an inner merkle node (CVE-2017-12842)."""
MAX_MEMO_BYTES = 512
MIN_TRANSACTION_BYTES = COINBASE_BYTES + MIN_EXTRA_BYTES

_SIGNING_DOMAIN = b"pychain/transfer/v1"
_TRANSFER_HEAD = struct.Struct("<B32sQ32sQQH")
_COINBASE_HEAD = struct.Struct("<BI32sQB")


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """A signed payment from `sender`'s account; amounts in base units. Make it with `new_transfer` or a decoder."""

    raw: bytes
    txid: bytes
    sender: bytes
    sequence: int
    recipient: bytes
    amount: int
    fee: int
    memo: bytes
    signature: bytes


class Coinbase(msgspec.Struct, frozen=True, gc=False):
    """The miner's claim, first in each block. Make it with `new_coinbase` or a decoder."""

    raw: bytes
    txid: bytes
    height: int
    recipient: bytes
    amount: int
    extra: bytes


Transaction = Transfer | Coinbase


def transfer_body(sender: bytes, sequence: int, recipient: bytes, amount: int, fee: int, memo: bytes) -> bytes:
    """All bytes of a transfer before its signature."""
    assert len(sender) == len(recipient) == KEY_BYTES  # struct would cut or pad other lengths in silence
    return _TRANSFER_HEAD.pack(TRANSFER_TYPE, sender, sequence, recipient, amount, fee, len(memo)) + memo


def signing_message(genesis_hash: bytes, body: bytes) -> bytes:
    """What a transfer's signature covers: a domain, the chain, and every byte before the signature."""
    return _SIGNING_DOMAIN + genesis_hash + body


def signed_message(genesis_hash: bytes, transfer: Transfer) -> bytes:
    """`signing_message` of a transfer that is already signed."""
    return signing_message(genesis_hash, transfer.raw[:-SIGNATURE_BYTES])


def new_transfer(body: bytes, signature: bytes) -> Transfer:
    """The transfer made of a `transfer_body` and its signature."""
    return decode_transfer(body + signature)


def new_coinbase(height: int, recipient: bytes, amount: int, extra: bytes) -> Coinbase:
    """A coinbase from its fields (uint32, 32 bytes, uint64, up to 255 bytes)."""
    assert len(recipient) == KEY_BYTES
    raw = _COINBASE_HEAD.pack(COINBASE_TYPE, height, recipient, amount, len(extra)) + extra
    return Coinbase(raw, native.sha256d(raw), height, recipient, amount, extra)


def decode_transfer(raw: bytes) -> Transfer:
    """The transfer that is exactly `raw`."""
    transaction = decode_transaction(raw)
    if not isinstance(transaction, Transfer):
        raise DecodeError("a transfer was expected, this is a coinbase")
    return transaction


def decode_transaction(raw: bytes) -> Transaction:
    """The transaction that is exactly `raw`."""
    end = transaction_end(raw, 0)
    if end != len(raw):
        raise DecodeError(f"{len(raw) - end} trailing bytes after the transaction")
    return build_transaction(raw, native.sha256d(raw))


def transaction_end(data: bytes, start: int) -> int:
    """Where the transaction that begins at `start` ends; reads its type and its one length field only."""
    reader = Reader(data, start)
    kind = reader.u8()
    if kind == TRANSFER_TYPE:
        reader.take(TRANSFER_BYTES - SIGNATURE_BYTES - 3)
        reader.take(reader.u16() + SIGNATURE_BYTES)
    elif kind == COINBASE_TYPE:
        reader.take(COINBASE_BYTES - 2)
        reader.take(reader.u8())
    else:
        raise DecodeError(f"transaction type {kind} is unknown")
    return reader.position


def build_transaction(raw: bytes, txid: bytes) -> Transaction:
    """The transaction in `raw`, whose extent `transaction_end` has checked and whose id is known."""
    if raw[0] == TRANSFER_TYPE:
        _, sender, sequence, recipient, amount, fee, memo_bytes = _TRANSFER_HEAD.unpack_from(raw)
        memo_start = _TRANSFER_HEAD.size
        memo_end = memo_start + memo_bytes
        return Transfer(raw, txid, sender, sequence, recipient, amount, fee, raw[memo_start:memo_end], raw[memo_end:])
    _, height, recipient, amount, _ = _COINBASE_HEAD.unpack_from(raw)
    return Coinbase(raw, txid, height, recipient, amount, raw[_COINBASE_HEAD.size :])
