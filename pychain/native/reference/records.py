"""Records of one size in Python."""

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


def sort_records(parts: Sequence[Bytes], size: int) -> memoryview:
    """Records of `size` bytes each, back to back in several parts, in rising order as bytes."""
    data = b"".join(sortable_records(parts, size))
    return memoryview(b"".join(sorted([data[at : at + size] for at in range(0, len(data), size)])))


def record_runs(data: bytes | memoryview, size: int, key: int, longest: int) -> array[int]:
    """Where runs of neighbours that share their first `key` bytes begin, by number; see `pychain.native`."""
    record_runs_of(data, size, key, longest)
    starts = array("I")
    for number, at in enumerate(range(0, len(data), size)):
        if not starts or number - starts[-1] == longest or data[at - size : at - size + key] != data[at : at + key]:
            starts.append(number)
    return starts


def touches(keys: Bytes, senders: Offsets, recipients: Offsets, first: int) -> bytes:
    """The accounts of transactions, a key and a number each; see `pychain.native`."""
    keys, senders, recipients = named_keys(keys, senders, recipients, first)
    one_by_one = [keys[at : at + PUBLIC_KEY_SIZE] for at in range(0, len(keys), PUBLIC_KEY_SIZE)]
    made = []
    try:
        for number, (sender, recipient) in enumerate(zip(senders, recipients, strict=True), first):
            named = (sender,) if sender == recipient else (sender, recipient)
            made += [one_by_one[index] + number.to_bytes(8, "big") for index in named]
    except IndexError:
        raise unknown_key() from None
    return b"".join(made)
