"""Transactions: one byte of type, then fixed fields, no padding, no trailing bytes. txid = sha256d(all bytes).

Transfer, 155 bytes + memo:
    u8 type=1 | 32 sender | u64 sequence | 32 recipient | u64 amount | u64 fee | u16 memo_len | memo | 64 signature
Coinbase, 46 bytes + extra:
    u8 type=0 | u32 height | 32 recipient | u64 amount | u8 extra_len | extra
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from pychain import native
from pychain.base.errors import DecodeError
from pychain.chain.hashes import split_hashes

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
_RECIPIENT = slice(1 + KEY_BYTES + 8, 1 + KEY_BYTES + 8 + KEY_BYTES)
_MEMO_LENGTH = struct.Struct("<H")
_MEMO_LENGTH_AT = _TRANSFER_HEAD.size - _MEMO_LENGTH.size


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """A signed payment from `sender`'s account; amounts in base units. Make it with `new_transfer` or a decoder.

    `sequence` is the sender's count of transfers so far: what Ethereum calls the account's nonce. Rarely used fields
    are cut out of `raw` on access, since a mempool holds hundreds of thousands of these.
    """

    raw: bytes
    txid: bytes
    sender: bytes
    sequence: int
    amount: int
    fee: int

    @property
    def recipient(self) -> bytes:
        return self.raw[_RECIPIENT]

    @property
    def memo(self) -> bytes:
        return self.raw[_TRANSFER_HEAD.size : -SIGNATURE_BYTES]

    @property
    def signature(self) -> bytes:
        return self.raw[-SIGNATURE_BYTES:]


class Coinbase(msgspec.Struct, frozen=True, gc=False):
    """The miner's reward, the first transaction of each block. Make it with `new_coinbase` or a decoder."""

    raw: bytes
    txid: bytes
    height: int
    recipient: bytes
    amount: int
    extra: bytes


Transaction = Transfer | Coinbase


def transfer_body(sender: bytes, sequence: int, recipient: bytes, amount: int, fee: int, memo: bytes) -> bytes:
    """All bytes of a transfer before its signature."""
    assert len(sender) == len(recipient) == KEY_BYTES  # struct would silently cut or pad other lengths
    return _TRANSFER_HEAD.pack(TRANSFER_TYPE, sender, sequence, recipient, amount, fee, len(memo)) + memo


def signing_message(genesis_hash: bytes, body: bytes) -> bytes:
    """The message that a transfer's signature covers: a domain, the chain, and every byte before the signature."""
    return _SIGNING_DOMAIN + genesis_hash + body


def signed_message(genesis_hash: bytes, transfer: Transfer) -> bytes:
    """`signing_message` of a transfer that is already signed."""
    return signing_message(genesis_hash, transfer.raw[:-SIGNATURE_BYTES])


def recipient_of(raw: bytes) -> bytes | None:
    """The recipient of a raw transfer that is not yet decoded; None if the bytes cannot be a transfer."""
    return raw[_RECIPIENT] if len(raw) >= TRANSFER_BYTES and raw[0] == TRANSFER_TYPE else None


def new_transfer(body: bytes, signature: bytes) -> Transfer:
    """The transfer made of a `transfer_body` and its signature."""
    return decode_transfer(body + signature)


def new_coinbase(height: int, recipient: bytes, amount: int, extra: bytes) -> Coinbase:
    """A coinbase from its fields (uint32, 32 bytes, uint64, up to 255 bytes)."""
    assert len(recipient) == KEY_BYTES
    raw = _COINBASE_HEAD.pack(COINBASE_TYPE, height, recipient, amount, len(extra)) + extra
    return Coinbase(raw, native.sha256d(raw), height, recipient, amount, extra)


def transaction_ids(raws: Sequence[bytes]) -> list[bytes]:
    """The ids of raw transactions, hashed together."""
    offsets = array("I", accumulate(map(len, raws), initial=0))
    return split_hashes(native.sha256d_many(b"".join(raws), offsets))


def decode_transfer(raw: bytes) -> Transfer:
    """The transfer that is exactly `raw`."""
    transaction = decode_transaction(raw)
    if not isinstance(transaction, Transfer):
        raise DecodeError("expected a transfer, not a coinbase")
    return transaction


def decode_transaction(raw: bytes, txid: bytes | None = None) -> Transaction:
    """The transaction that is exactly `raw`; `txid` is its id if that is already known."""
    end = transaction_end(raw, 0)
    if end != len(raw):
        raise DecodeError(f"{len(raw) - end} trailing bytes after the transaction")
    return build_transaction(raw, native.sha256d(raw) if txid is None else txid)


def transaction_end(data: bytes, start: int) -> int:
    """Where the transaction at `start` ends; reads only its type and its one length field."""
    left = len(data) - start
    if left <= 0:
        raise DecodeError(f"expected a transaction at offset {start}, where the data end")
    if data[start] == TRANSFER_TYPE:
        size = TRANSFER_BYTES
        if left >= size:
            size += _MEMO_LENGTH.unpack_from(data, start + _MEMO_LENGTH_AT)[0]
    elif data[start] == COINBASE_TYPE:
        size = COINBASE_BYTES
        if left >= size:
            size += data[start + COINBASE_BYTES - 1]
    else:
        raise DecodeError(f"transaction type {data[start]} is unknown")
    if size > left:
        raise DecodeError(f"a transaction of {size} bytes expected at offset {start}, {left} left")
    return start + size


def build_transaction(raw: bytes, txid: bytes) -> Transaction:
    """The transaction in `raw`, whose extent `transaction_end` has checked and whose id is known."""
    if raw[0] == TRANSFER_TYPE:
        _, sender, sequence, _, amount, fee, _ = _TRANSFER_HEAD.unpack_from(raw)
        return Transfer(raw, txid, sender, sequence, amount, fee)
    _, height, recipient, amount, _ = _COINBASE_HEAD.unpack_from(raw)
    return Coinbase(raw, txid, height, recipient, amount, raw[_COINBASE_HEAD.size :])
