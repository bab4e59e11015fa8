"""A block's transactions in bulk, in Python: their offsets, the transfers' fields, whether the signatures are valid.

The bytes are those of `pychain.chain.transaction`.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence

from pychain.native._arguments import (
    SIGNATURE_SIZE,
    Bytes,
    Entropy,
    Offsets,
    extents,
    message_offsets,
    not_a_transfer,
    scan_range,
    seed,
)
from pychain.native._libsodium import verify_strict
from pychain.native.reference import ed25519

_TRANSFER = struct.Struct("<B32sQ32sQQH")
_ROW = struct.Struct("=IIQQQ")
_COINBASE_BYTES, _EXTRA_SIZE = 46, 45


def _end(data: bytes, start: int) -> int | None:
    """Where the transaction at `start` ends; None if it is incomplete or its type is unknown."""
    end = None
    if data[start : start + 1] == b"\1" and start + _TRANSFER.size <= len(data):
        end = start + _TRANSFER.size + int(_TRANSFER.unpack_from(data, start)[-1]) + SIGNATURE_SIZE
    elif data[start : start + 1] == b"\0" and start + _COINBASE_BYTES <= len(data):
        end = start + _COINBASE_BYTES + data[start + _EXTRA_SIZE]
    return end if end is not None and end <= len(data) else None


def transaction_offsets(data: Bytes, start: int, count: int) -> array[int]:
    """Where up to `count` transactions, back to back from `data[start]` on, begin, and where the last of them ends.

    Fewer than count + 1 offsets mean that at the last one there is no complete transaction of a known type.
    """
    data = scan_range(data, start, count)
    offsets = array("I", [start])
    while len(offsets) <= count and (end := _end(data, offsets[-1])) is not None:
        offsets.append(end)
    return offsets


def transfer_rows(data: Bytes, offsets: Offsets) -> tuple[bytes, bytes]:
    """The fields of n transfers, transfer i being `data[offsets[i]:offsets[i + 1]]`: rows, and the accounts' keys.

    A row is `u32 sender | u32 recipient | u64 sequence | u64 amount | u64 fee` in the machine's byte order; sender and
    recipient are indexes into the keys (32 bytes each), in the order of their first appearance, a sender before its
    recipient. ValueError if something is not a complete transfer.
    """
    data, offsets = message_offsets(data, offsets)
    indexes: dict[bytes, int] = {}
    rows = []
    for index in range(len(offsets) - 1):
        if data[offsets[index] : offsets[index] + 1] != b"\1" or _end(data, offsets[index]) != offsets[index + 1]:
            raise not_a_transfer(index)
        _, sender, sequence, recipient, amount, fee, _ = _TRANSFER.unpack_from(data, offsets[index])
        sender, recipient = (indexes.setdefault(key, len(indexes)) for key in (sender, recipient))
        rows.append(_ROW.pack(sender, recipient, sequence, amount, fee))
    return b"".join(rows), b"".join(indexes)


def verify_transfers(
    data: Bytes, starts: Sequence[int], ends: Sequence[int], prefix: bytes, entropy: Entropy = None, threads: int = 0
) -> bytes:
    """For each transfer `data[starts[i]:ends[i]]` a byte: 1 if its signature is valid by ZIP-215, else 0.

    A signature covers `prefix` and its transfer up to the signature. `entropy` and `threads` as for `verify_batch`.
    ValueError if something is not a complete transfer.
    """
    data, starts, ends = extents(data, starts, ends)
    seed(entropy)
    valid = []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if data[start : start + 1] != b"\1" or _end(data, start) != end:
            raise not_a_transfer(index)
        signed = (
            data[start + 1 : start + 33],
            prefix + data[start : end - SIGNATURE_SIZE],
            data[end - SIGNATURE_SIZE : end],
        )
        valid.append(verify_strict(*signed) or ed25519.verify(*signed))
    return bytes(valid)
