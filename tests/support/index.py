"""A store's header index, header by header."""

from __future__ import annotations

from collections.abc import Iterable

from pychain.chain.header import HEADER_BYTES, Header, decode_header
from pychain.ledger.store import IndexRecord, IndexSlice, Status, Store


def known(store: Store) -> list[tuple[Header, Status]]:
    """Every header with its status, in the order in which the store gives them."""
    return [pair for part in store.index() for pair in unpacked(part)]


def unpacked(part: IndexSlice) -> list[tuple[Header, Status]]:
    """A slice's headers, hashed afresh."""
    count = len(part.statuses)
    assert len(part.raw) == HEADER_BYTES * count
    headers = [decode_header(part.raw[HEADER_BYTES * at : HEADER_BYTES * (at + 1)]) for at in range(count)]
    assert part.hashes == b"".join([header.hash for header in headers])
    return [(header, Status(status)) for header, status in zip(headers, part.statuses, strict=True)]


def packed(records: Iterable[IndexRecord]) -> IndexSlice:
    """Records as a store gives them: by height and hash."""
    ordered = sorted(records)
    return IndexSlice(
        b"".join([record.raw for record in ordered]),
        b"".join([record.hash for record in ordered]),
        bytes([record.status for record in ordered]),
    )
