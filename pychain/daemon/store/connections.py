"""The active chain in the store: which blocks are connected, each under the number of its connection.

Numbers rise along the chain and are never given twice; a block that leaves and comes back gets a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import lmdb

from pychain.daemon.store.records import decode_number_key, number_key
from pychain.daemon.store.schema import NEXT, Databases


def reconnect(
    transaction: lmdb.Transaction[bytes], databases: Databases, leaving: Collection[bytes], joining: Iterable[bytes]
) -> dict[bytes, int]:
    """Take blocks off the end of the chain and put others there. Returns the numbers of those."""
    with transaction.cursor(databases.connections) as cursor:
        gone = set(leaving)
        while gone and cursor.last() and cursor.value() in gone:
            cursor.delete()
        row = transaction.get(NEXT, db=databases.meta)
        first = 0 if row is None else decode_number_key(row)
        numbers = {block_hash: number for number, block_hash in enumerate(joining, first)}
        if numbers:
            cursor.putmulti([(number_key(number), block_hash) for block_hash, number in numbers.items()], append=True)
            transaction.put(NEXT, number_key(first + len(numbers)), db=databases.meta)
    return numbers
