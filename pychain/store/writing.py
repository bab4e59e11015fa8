"""The writes of one commit, prepared before its transaction begins.

Connections of blocks, and rows by block or by name, are written to their tables directly: they are few, or adjacent.
Changes of the large tables go to the journal and to a layer of the memtable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeVar

import lmdb

from pychain.ledger.store import Batch
from pychain.store.block_files import Appended
from pychain.store.journal import account_rows, block_rows, row_key
from pychain.store.members import members_of
from pychain.store.memtable import Layer
from pychain.store.records import (
    encode_end,
    encode_place,
    encode_reward,
    index_rows,
    number_key,
    seal,
)
from pychain.store.schema import END, NEXT, TIP, Databases

NEWEST_BODIES = 8
"""Bodies of the last commit that the next opening checks, in a few milliseconds: a crash could have damaged them."""

T = TypeVar("T")


class Counters(NamedTuple):
    """The numbers of the next connection and the next row of the journal."""

    connection: int
    row: int


class Journalled(NamedTuple):
    """A batch's changes of the large tables: as journal rows and as a layer, and the counters after it."""

    rows: list[tuple[bytes, bytes]]
    layer: Layer
    next: Counters


def journalled(batch: Batch, counters: Counters) -> Journalled:
    """Number the connected blocks, and pack the changes of the large tables."""
    layer = Layer()
    layer.accounts.update(batch.accounts)
    blocks = list(batch.connected.values())
    members = [members_of(number, block) for number, block in enumerate(blocks, counters.connection)]
    txids = [block.txids for block in blocks]
    layer.connect(members, b"".join(txids))
    contents = [*account_rows(batch.accounts), *block_rows(zip(members, txids, strict=True))]
    rows = [(row_key(number), content) for number, content in enumerate(contents, counters.row)]
    layer.end = counters.row + len(rows)
    return Journalled(rows, layer, Counters(counters.connection + len(blocks), layer.end))


def write_batch(
    transaction: lmdb.Transaction[bytes], databases: Databases, batch: Batch, appended: Appended, changes: Journalled
) -> None:
    """Write one batch, each database in the order of its keys, since adjacent rows share pages."""
    _reconnect(transaction, databases, batch.disconnected, batch.connected, changes.next.connection)
    with transaction.cursor(databases.journal) as cursor:
        cursor.putmulti(changes.rows, append=True)
    with transaction.cursor(databases.headers) as cursor:
        cursor.putmulti(index_rows(batch.index))
    _put(transaction, databases.undo, batch.undo, seal)
    _put(transaction, databases.rewards, batch.rewards, encode_reward)
    _put(transaction, databases.bodies, appended.places, encode_place)
    _put(transaction, databases.tables, {name.encode(): table for name, table in batch.tables.items()}, seal)
    if appended.places:
        newest = list(appended.places)[-NEWEST_BODIES:]
        transaction.put(END, encode_end(appended.end, newest), db=databases.meta)
    if batch.tip is not None:
        transaction.put(TIP, batch.tip, db=databases.meta)


def _reconnect(
    transaction: lmdb.Transaction[bytes],
    databases: Databases,
    leaving: Collection[bytes],
    joining: Collection[bytes],
    behind: int,
) -> None:
    """Remove blocks from the end of the chain and append others, under the numbers that end before `behind`."""
    with transaction.cursor(databases.connections) as cursor:
        gone = set(leaving)
        while gone and cursor.last() and cursor.value() in gone:
            cursor.delete()
        if joining:
            rows = enumerate(joining, behind - len(joining))
            cursor.putmulti([(number_key(number), block_hash) for number, block_hash in rows], append=True)
            transaction.put(NEXT, number_key(behind), db=databases.meta)


def _put(
    transaction: lmdb.Transaction[bytes],
    database: lmdb._Database,
    rows: Mapping[bytes, T],
    encode: Callable[[T], bytes],
) -> None:
    if rows:
        with transaction.cursor(database) as cursor:
            cursor.putmulti([(key, encode(rows[key])) for key in sorted(rows)])
