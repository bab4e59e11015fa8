"""Sorting by the C core, without the interpreter's lock."""

from __future__ import annotations

from pychain.native._arguments import Bytes, sortable_records
from pychain.native._core import ffi, lib

_BYTES = ffi.typeof("char[]")


def sort_records(data: Bytes, size: int) -> bytes:
    """Records of `size` bytes each, back to back, in rising order as bytes."""
    data = sortable_records(data, size)
    out = ffi.new(_BYTES, len(data))
    if lib.pychain_sort_records(out, data, size, len(data) // size) == lib.PYCHAIN_NO_MEMORY:
        raise MemoryError("no memory to sort so many records")
    return ffi.unpack(out, len(data))
