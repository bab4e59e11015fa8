"""The sweep: one frozen layer written to the large tables in the order of their keys, in steps of some milliseconds.

Rows that fall in one page share its cost, so the more commits a layer has gathered the less each costs. Every step is a
durable transaction of its own; the last one deletes the layer's rows from the journal. A process that dies between two
steps finds them all in the journal at the next opening and writes the same rows again, which changes nothing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import lmdb

from pychain.chain.hashes import split_hashes
from pychain.consensus.state import ABSENT
from pychain.daemon.store.environment import Environment
from pychain.daemon.store.history import history_rows
from pychain.daemon.store.journal import row_key
from pychain.daemon.store.memtable import Layer
from pychain.daemon.store.records import encode_accounts, encode_entries, entry_of
from pychain.daemon.store.schema import Databases

STEP_NS = 8_000_000
"""What writing should take in a step, beside syncing: a commit that comes meanwhile waits so long."""
SYNC_SHARE = 2
"""On a slow disk: writing may take so many times what syncing takes, or little would be written for much waiting."""
MIN_ROWS, MAX_ROWS = 256, 32_768
"""Of a step. More would keep too many changed pages in memory."""

_START_ROWS = 1_024
_FORGET = 1.02
"""How fast a time for syncing that is not reached again grows, a step."""

Rows = Sequence[tuple[bytes, bytes]]


class Pace:
    """How many rows a step has, learned from how long others took; in a hurry, as many as may be."""

    def __init__(self) -> None:
        self.hurried = False
        self._rows = _START_ROWS
        self._sync_ns = float(STEP_NS)

    @property
    def rows(self) -> int:
        return MAX_ROWS if self.hurried else self._rows

    def took(self, rows: int, elapsed_ns: int) -> None:
        """A step of so many rows took so long, of which the shortest one's time went to syncing."""
        self._sync_ns = min(self._sync_ns * _FORGET, elapsed_ns)
        if rows * 2 > self._rows:  # a smaller one says little
            wanted_ns = max(STEP_NS, SYNC_SHARE * self._sync_ns)
            fitting = int(rows * wanted_ns / max(elapsed_ns - self._sync_ns, 1))
            self._rows = max(MIN_ROWS, self._rows // 2, min(fitting, self._rows * 2, MAX_ROWS))


def sweep(environment: Environment, databases: Databases, layer: Layer, pace: Pace) -> Iterator[None]:
    """Write a frozen layer to the tables; yields after each step. StoreError where one fails."""

    def step(database: lmdb._Database, rows: Rows, gone: Iterable[bytes] = ()) -> None:
        start_ns = time.monotonic_ns()
        environment.write(lambda transaction: _change(transaction, database, rows, gone))
        pace.took(len(rows), time.monotonic_ns() - start_ns)

    for keys in _in_order(layer.accounts, pace):
        there = [key for key in keys if layer.accounts[key] != ABSENT]
        rows = encode_accounts(layer.accounts[key] for key in there)
        gone = [key for key in keys if layer.accounts[key] == ABSENT] if len(there) < len(keys) else ()
        step(databases.accounts, list(zip(there, rows, strict=True)), gone)
        yield
    for txids in _in_order(layer.places, pace):
        rows = encode_entries(layer.places[txid] for txid in txids)
        step(databases.transactions, list(zip(txids, rows, strict=True)))
        yield
    entries: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, _ in enumerate(_gather(layer, entries)):
        if number % 8 == 7:
            yield
    for keys in _in_order(entries, pace):
        step(databases.history, [row for key in keys for row in history_rows(key, entries[key])])
        yield
    environment.write(lambda transaction: _forget(transaction, databases.journal, layer.end))


def _in_order(keys: Iterable[bytes], pace: Pace) -> Iterator[list[bytes]]:
    """The keys in order, in lists of about `pace.rows`; sorted by and by, since the interpreter waits for a sort."""
    by_first_byte: list[list[bytes]] = [[] for _ in range(256)]
    for key in keys:
        by_first_byte[key[0]].append(key)
    taken: list[bytes] = []
    for bucket in by_first_byte:
        bucket.sort()
        taken += bucket
        while len(taken) >= pace.rows:
            rows = pace.rows
            yield taken[:rows]
            taken = taken[rows:]
    if taken:
        yield taken


def _gather(layer: Layer, entries: defaultdict[bytes, list[int]]) -> Iterator[None]:
    """Collect the history entries of a layer's blocks by account; yields after each block."""
    for members in layer.blocks:
        add = [entries[key].append for key in split_hashes(members.keys)]
        pairs = zip(members.senders, members.recipients, strict=True)
        for entry, (sender, recipient) in enumerate(pairs, entry_of(members.number, 0)):
            add[sender](entry)
            if recipient != sender:
                add[recipient](entry)
        yield


def _change(transaction: lmdb.Transaction[bytes], database: lmdb._Database, rows: Rows, gone: Iterable[bytes]) -> None:
    with transaction.cursor(database) as cursor:
        cursor.putmulti(rows)
    for key in gone:
        transaction.delete(key, db=database)


def _forget(transaction: lmdb.Transaction[bytes], journal: lmdb._Database, end: int) -> None:
    """Delete the journal's rows below `end`."""
    with transaction.cursor(journal) as cursor:
        while cursor.first() and cursor.key() < row_key(end):
            cursor.delete()
