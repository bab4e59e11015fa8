"""The history of accounts: the transactions of the chain that name them.

An *entry* is the place of a transaction as one number (see `entry_of`). A row has up to `ROW_ENTRIES` entries of an
account; the first is part of the key. Rows are only added: entries of a block that left the chain name a connection
that no longer exists, and readers skip them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from pychain import native
from pychain.chain.transaction import KEY_BYTES
from pychain.ledger.store import TransactionPlace
from pychain.store.records import decode_history, history_key

ENTRY_BYTES = 8
TOUCH_BYTES = KEY_BYTES + ENTRY_BYTES
ROW_ENTRIES = 128
"""Entries in a row: a kilobyte, so a few rows fit in a page, and reading the newest entries is cheap."""

MAX_ENTRY = 2**64 - 1

_READ_ROWS = 16
"""Rows read at a time."""


def history_rows(touches: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Sorted rows (key, value) from sorted touches: an account's key and an entry each, as in a row's key,
    concatenated.

    More touches after the same first one of an account give the same keys.
    """
    whole = memoryview(touches)
    entries = whole.cast("Q")[KEY_BYTES // ENTRY_BYTES :: TOUCH_BYTES // ENTRY_BYTES]
    starts = native.record_runs(touches, TOUCH_BYTES, KEY_BYTES, ROW_ENTRIES)
    for first, end in pairwise((*starts, len(entries))):
        at = first * TOUCH_BYTES
        yield bytes(whole[at : at + TOUCH_BYTES]), entries[first + 1 : end].tobytes()


def stored_entries(
    rows_before: Callable[[bytes, int], Sequence[tuple[bytes, bytes]]], key: bytes, before: int
) -> Iterator[int]:
    """An account's entries in the table below `before`, newest first.

    rows_before: reads up to a number of rows below a key, in descending order.
    """
    start = history_key(key, before)
    while rows := rows_before(start, _READ_ROWS):
        for row_key, row in rows:
            if not row_key.startswith(key):
                return
            for entry in reversed(decode_history(row_key, row)):
                if entry < before:
                    yield entry
        start = rows[-1][0]


def places(entries: Iterable[int], limit: int, block_of: Callable[[int], bytes | None]) -> Iterator[TransactionPlace]:
    """The first `limit` entries whose block is still connected. block_of: the block connected under a number."""
    blocks: dict[int, bytes | None] = {}
    for entry in entries:
        if not limit:
            return
        number, position = entry >> 32, entry & 0xFFFFFFFF
        if number not in blocks:
            blocks[number] = block_of(number)
        block_hash = blocks[number]
        if block_hash is not None:
            limit -= 1
            yield TransactionPlace(block_hash, position)
