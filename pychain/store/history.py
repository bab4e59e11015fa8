"""The history of accounts: which transactions of the chain name them.

An *entry* is the place of a transaction as one number (see `entry_of`). A row holds up to `ROW_ENTRIES` of an
account's, its key the first of them. Rows are only added: entries of a block that left the chain name a connection that
is gone, and readers pass over them.
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
"""Entries in a row: a kilobyte, a few of which fit in a page, and little to read for the newest few."""

MAX_ENTRY = 2**64 - 1

_READ_ROWS = 16
"""Rows read at a time."""


def history_rows(touches: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Sorted rows (key, value) of sorted touches: an account's key and an entry each, as in a row's key, joined.

    More touches behind the same first one of an account give the same keys.
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
    """An account's entries in the table, newest first, of those below `before`.

    rows_before: up to so many rows in falling order, the first one's key below the given one.
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
    """The first `limit` entries whose connection stands. block_of: the block that connected under a number."""
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
