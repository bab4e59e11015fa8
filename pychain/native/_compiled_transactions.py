"""The transactions of a block in bulk, by the C core. Each call releases the interpreter's lock."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from pychain.native._arguments import (
    PUBLIC_KEY_SIZE,
    Bytes,
    Entropy,
    Offsets,
    extents,
    message_offsets,
    not_a_transfer,
    scan_range,
    seed,
)
from pychain.native._core import ffi, lib

_BYTES = ffi.typeof("char[]")
_WORDS = ffi.typeof("uint32_t[]")
_SIZE = ffi.typeof("size_t[]")
_ROWS = ffi.typeof("pychain_transfer[]")


def transaction_offsets(data: Bytes, start: int, count: int) -> array[int]:
    """Where up to `count` transactions, back to back from `data[start]` on, begin, and where the last of them ends.

    Fewer than count + 1 offsets mean that at the last one there is no complete transaction of a known type.
    """
    data = scan_range(data, start, count)
    offsets = array("I", bytes(4 * (count + 1)))
    found = lib.pychain_transaction_offsets(ffi.from_buffer(_WORDS, offsets), data, len(data), start, count)
    return offsets[: found + 1]


def transfer_rows(data: Bytes, offsets: Offsets) -> tuple[bytes, bytes]:
    """The fields of n transfers, transfer i being `data[offsets[i]:offsets[i + 1]]`: rows, and the accounts' keys.

    A row is `u32 sender | u32 recipient | u64 sequence | u64 amount | u64 fee` in the machine's byte order; sender and
    recipient are indexes into the keys (32 bytes each), in the order of their first appearance, a sender before its
    recipient. ValueError if something is not a complete transfer.
    """
    data, offsets = message_offsets(data, offsets)
    count = len(offsets) - 1
    rows, keys, key_count = ffi.new(_ROWS, count), ffi.new(_BYTES, 2 * PUBLIC_KEY_SIZE * count), ffi.new(_SIZE, 1)
    words = ffi.from_buffer(_WORDS, offsets)
    _check(lib.pychain_transfer_rows(rows, keys, key_count, data, len(data), words, count))
    return bytes(ffi.buffer(rows)), ffi.unpack(keys, PUBLIC_KEY_SIZE * key_count[0])


def verify_transfers(
    data: Bytes, starts: Sequence[int], ends: Sequence[int], prefix: bytes, entropy: Entropy = None, threads: int = 0
) -> bytes:
    """For each transfer `data[starts[i]:ends[i]]` a byte: 1 if its signature is valid by ZIP-215, else 0.

    A signature covers `prefix` and its transfer up to the signature. `entropy` and `threads` as for `verify_batch`.
    ValueError if something is not a complete transfer.
    """
    data, starts, ends = extents(data, starts, ends)
    count = len(starts)
    valid, weights = ffi.new(_BYTES, count), seed(entropy)
    first, last = ffi.from_buffer(_WORDS, starts), ffi.from_buffer(_WORDS, ends)
    sizes = len(data), first, last, count, prefix, len(prefix)
    _check(lib.pychain_verify_transfers(valid, data, *sizes, ffi.NULL if weights is None else weights, threads))
    return ffi.unpack(valid, count)


def _check(answer: int) -> None:
    if answer == lib.PYCHAIN_NO_MEMORY:
        raise MemoryError("no memory to read the transfers")
    if answer >= 0:
        raise not_a_transfer(answer)
