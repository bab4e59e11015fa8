"""Records of one size by the C core, without the interpreter's lock: made, sorted, cut into runs."""

from __future__ import annotations

from array import array

from pychain.native._arguments import Bytes, Offsets, named_keys, record_runs_of, sortable_records, unknown_key
from pychain.native._core import ffi, lib

_BYTES = ffi.typeof("char[]")
_WORDS = ffi.typeof("uint32_t[]")


def sort_records(data: Bytes, size: int) -> bytes:
    """Records of `size` bytes each, back to back, in rising order as bytes."""
    data = sortable_records(data, size)
    out = ffi.new(_BYTES, len(data))
    if lib.pychain_sort_records(out, data, size, len(data) // size) == lib.PYCHAIN_NO_MEMORY:
        raise MemoryError("no memory to sort so many records")
    return ffi.unpack(out, len(data))


def record_runs(data: Bytes, size: int, key: int, longest: int) -> array[int]:
    """Where runs of neighbours that share their first `key` bytes begin, in records of `size` bytes each, back to back,
    by number; a run has `longest` records at most.
    """
    data = record_runs_of(data, size, key, longest)
    count = len(data) // size
    starts = array("I", bytes(4 * count))
    found = lib.pychain_record_runs(ffi.from_buffer(_WORDS, starts), data, size, count, key, longest)
    return starts[:found]


def touches(keys: Bytes, senders: Offsets, recipients: Offsets, first: int) -> bytes:
    """Whom n transactions name, by index into keys of 32 bytes, back to back: for each its sender's key and a number,
    and its recipient's unless that is the same.

    The number of transaction i is `first` + i, a u64, big-endian.
    """
    keys, senders, recipients = named_keys(keys, senders, recipients, first)
    count = len(senders)
    out = ffi.new(_BYTES, 2 * lib.PYCHAIN_TOUCH_BYTES * count)
    pairs = ffi.from_buffer(_WORDS, senders), ffi.from_buffer(_WORDS, recipients)
    found = lib.pychain_touches(out, keys, len(keys) // 32, *pairs, count, first)
    if found < 0:
        raise unknown_key()
    return ffi.unpack(out, found * lib.PYCHAIN_TOUCH_BYTES)
