"""Records of one size by the C core, without the interpreter's lock: make, sort, cut into runs."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from pychain.native._arguments import (
    PUBLIC_KEY_SIZE,
    Bytes,
    Offsets,
    named_keys,
    record_runs_of,
    sortable_records,
    unknown_key,
)
from pychain.native._core import ffi, lib

_BYTES = ffi.typeof("char[]")
_WORDS = ffi.typeof("uint32_t[]")
_PART = ffi.typeof("uint8_t[]")
_PARTS = ffi.typeof("uint8_t *[]")
_SIZES = ffi.typeof("size_t[]")


def sort_records(parts: Sequence[Bytes], size: int) -> memoryview:
    """Records of `size` bytes each, back to back in several parts, in rising order as bytes.

    No copy is made, since that would hold the interpreter's lock for as long as it takes.
    """
    parts = sortable_records(parts, size)
    lengths = list(map(len, parts))
    out = ffi.new(_BYTES, sum(lengths))
    pointers = ffi.new(_PARTS, [ffi.from_buffer(_PART, part) for part in parts])  # `parts` keeps their memory
    counts = ffi.new(_SIZES, [length // size for length in lengths])
    if lib.pychain_sort_records(out, pointers, counts, len(parts), size) == lib.PYCHAIN_NO_MEMORY:
        raise MemoryError("no memory to sort the records")
    return memoryview(ffi.buffer(out))


def record_runs(data: bytes | memoryview, size: int, key: int, longest: int) -> array[int]:
    """Where runs of neighbours that share their first `key` bytes begin, in records of `size` bytes each, back to back,
    by number; a run has `longest` records at most.
    """
    record_runs_of(data, size, key, longest)
    count = len(data) // size
    starts = array("I", bytes(4 * count))
    found = lib.pychain_record_runs(
        ffi.from_buffer(_WORDS, starts), ffi.from_buffer(_PART, data), size, count, key, longest
    )
    return starts[:found]


def touches(keys: Bytes, senders: Offsets, recipients: Offsets, first: int) -> bytes:
    """The accounts of n transactions, by index into keys of 32 bytes, back to back: for each transaction its sender's
    key and a number, and its recipient's unless that is the same.

    The number of transaction i is `first` + i, a u64, big-endian.
    """
    keys, senders, recipients = named_keys(keys, senders, recipients, first)
    count = len(senders)
    out = ffi.new(_BYTES, 2 * lib.PYCHAIN_TOUCH_BYTES * count)
    pairs = ffi.from_buffer(_WORDS, senders), ffi.from_buffer(_WORDS, recipients)
    found = lib.pychain_touches(out, keys, len(keys) // PUBLIC_KEY_SIZE, *pairs, count, first)
    if found < 0:
        raise unknown_key()
    return ffi.unpack(out, found * lib.PYCHAIN_TOUCH_BYTES)
