"""Sorting in Python."""

from __future__ import annotations

from pychain.native._arguments import Bytes, sortable_records


def sort_records(data: Bytes, size: int) -> bytes:
    """Records of `size` bytes each, back to back, in rising order as bytes."""
    data = sortable_records(data, size)
    return b"".join(sorted([data[at : at + size] for at in range(0, len(data), size)]))
