"""The sweep: writes one frozen layer to the large tables, sorted by key, in steps of some milliseconds.

Rows in the same page share its cost, so the more commits a layer has, the less each costs. Every step is a durable
transaction; the last one deletes the layer's rows from the journal. After a crash between two steps, the next opening
finds all rows in the journal, and they are written again, which changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from struct import Struct

import lmdb

from pychain.chain.transaction import KEY_BYTES
from pychain.native import sort_records
from pychain.store.environment import Environment
from pychain.store.history import TOUCH_BYTES, history_rows
from pychain.store.journal import row_key
from pychain.store.members import Members
from pychain.store.memtable import Layer
from pychain.store.records import (
    ACCOUNT_RECORD_BYTES,
    GONE,
    PLACE_RECORD_BYTES,
    account_records,
    place_records,
)
from pychain.store.schema import Databases

STEP_NS = 8_000_000
"""Target time of writing in a step, without syncing: a commit that comes meanwhile waits this long."""
SYNC_SHARE = 2
"""On a slow disk writing may take this many times as long as syncing, or most of the time would be spent on syncing."""
MIN_ROWS, MAX_ROWS = 256, 32_768
"""Rows per step. More would keep too many dirty pages in memory."""

_START_ROWS = 1_024
_TOUCHES_PER_STEP = 1 << 18
"""Bytes of touches collected at a time, in a millisecond or two."""
_FORGET = 1.02
"""Growth per step of the shortest syncing time seen, so that an outlier is forgotten."""

Rows = Sequence[tuple[bytes, bytes]]


class Pace:
    """The number of rows per step, learned from how long past steps took; in a hurry, the maximum."""

    def __init__(self) -> None:
        self.hurried = False
        self._rows = _START_ROWS
        self._sync_ns = float(STEP_NS)

    @property
    def rows(self) -> int:
        return MAX_ROWS if self.hurried else self._rows

    def took(self, rows: int, elapsed_ns: int) -> None:
        """Learn from a step's rows and time; the shortest step's time is taken as that of syncing."""
        self._sync_ns = min(self._sync_ns * _FORGET, elapsed_ns)
        if rows * 2 > self._rows:  # a smaller step says little
            wanted_ns = max(STEP_NS, SYNC_SHARE * self._sync_ns)
            fitting = int(rows * wanted_ns / max(elapsed_ns - self._sync_ns, 1))
            self._rows = max(MIN_ROWS, self._rows // 2, min(fitting, self._rows * 2, MAX_ROWS))


def sweep(environment: Environment, databases: Databases, layer: Layer, pace: Pace) -> Iterator[None]:
    """Write a frozen layer to the tables; yields after each step. StoreError if one fails."""

    def write(database: lmdb._Database, rows: Rows, gone: Sequence[bytes] = ()) -> None:
        start_ns = time.monotonic_ns()
        environment.write(lambda transaction: _change(transaction, database, rows, gone))
        pace.took(len(rows) + len(gone), time.monotonic_ns() - start_ns)

    for rows in _in_order(account_records(layer.accounts.items()), ACCOUNT_RECORD_BYTES, pace):
        gone = [key for key, row in rows if row == GONE]
        write(databases.accounts, [row for row in rows if row[1] != GONE] if gone else rows, gone)
        yield
    for rows in _in_order(place_records(layer.places.items()), PLACE_RECORD_BYTES, pace):
        write(databases.transactions, rows)
        yield
    touches: list[bytes] = []
    for part in _touches(layer.blocks):
        touches.append(part)
        yield
    for rows in _chunks(history_rows(sort_records(touches, TOUCH_BYTES)), pace):
        write(databases.history, rows)
        yield
    environment.write(lambda transaction: _forget(transaction, databases.journal, layer.end))


def _touches(blocks: Iterable[Members]) -> Iterator[bytes]:
    """The touches of all blocks, about `_TOUCHES_PER_STEP` bytes at a time."""
    some: list[bytes] = []
    size = 0
    for members in blocks:
        some.append(members.touches())
        size += len(some[-1])
        if size >= _TOUCHES_PER_STEP:
            yield b"".join(some)
            some, size = [], 0
    yield b"".join(some)


def _in_order(records: Iterable[bytes], size: int, pace: Pace) -> Iterator[Rows]:
    """Records of `size` bytes (a key of 32 and a value) as sorted rows, `pace.rows` at a time."""
    data = sort_records(list(records), size)
    row = Struct(f"{KEY_BYTES}s{size - KEY_BYTES}s")
    at = 0
    while at < len(data):
        end = min(len(data), at + pace.rows * size)
        yield list(row.iter_unpack(data[at:end]))
        at = end


def _chunks(rows: Iterator[tuple[bytes, bytes]], pace: Pace) -> Iterator[Rows]:
    while chunk := list(islice(rows, pace.rows)):
        yield chunk


def _change(transaction: lmdb.Transaction[bytes], database: lmdb._Database, rows: Rows, gone: Sequence[bytes]) -> None:
    with transaction.cursor(database) as cursor:
        cursor.putmulti(rows)
    for key in gone:
        transaction.delete(key, db=database)


def _forget(transaction: lmdb.Transaction[bytes], journal: lmdb._Database, end: int) -> None:
    """Delete the journal's rows below `end`."""
    with transaction.cursor(journal) as cursor:
        while cursor.first() and cursor.key() < row_key(end):
            cursor.delete()
