"""The journal: the changes of commits to the large tables, as a few long rows instead of thousands of short ones.

`accounts`, `transactions` and `history` have random keys, so each row of a commit is in a page of its own, and each
such page is copied and written. A commit therefore appends to the journal, whose cost is only the size of the data.
Between commits the rows of many commits are written to the tables together, sorted (see `sweep`).

Rows are numbered (u64, big-endian) and sealed. Each begins with its kind:
    1 | u32 accounts | their keys | for each u64 balance, u64 sequence           (0, 0: it is gone)
    2 | blocks that connected, each: u32 connection number | u32 transactions | u32 accounts
        | txids | keys of the accounts | for each transaction u32 sender | for each u32 recipient (see `Members`)
Numbers are little-endian. A commit is one LMDB transaction, so its rows are all there or none.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from msgspec.structs import astuple

from pychain.base.codec import Reader
from pychain.base.errors import DecodeError
from pychain.chain.hashes import HASH_BYTES, split_hashes
from pychain.chain.transaction import KEY_BYTES
from pychain.consensus.state import Account
from pychain.ledger.store import DamagedStoreError
from pychain.store.members import Members
from pychain.store.memtable import Layer
from pychain.store.records import little_endian, numbers, seal, unseal

ROW_BYTES = 128 << 10
"""About the longest a row gets: LMDB needs contiguous free pages for it, and reuses those of deleted rows."""

_ACCOUNTS, _BLOCKS = 1, 2
_ACCOUNT_BYTES = KEY_BYTES + 16
_COUNT = struct.Struct("<I")
_BLOCK = struct.Struct("<III")
_KEY = struct.Struct(">Q")


def row_key(number: int) -> bytes:
    return _KEY.pack(number)


def account_rows(accounts: Mapping[bytes, Account]) -> Iterator[bytes]:
    """Changed accounts as rows."""
    items = iter(accounts.items())
    while piece := dict(islice(items, ROW_BYTES // _ACCOUNT_BYTES)):
        values = array("Q", chain.from_iterable(map(astuple, piece.values())))
        yield seal(b"".join((bytes((_ACCOUNTS,)), _COUNT.pack(len(piece)), *piece, little_endian(values))))


def block_rows(blocks: Iterable[tuple[Members, bytes]]) -> Iterator[bytes]:
    """Connected blocks, each with its txids concatenated, as rows."""
    parts, size = [bytes((_BLOCKS,))], 0
    for members, txids in blocks:
        head = _BLOCK.pack(members.number, len(txids) // HASH_BYTES, len(members.keys) // KEY_BYTES)
        parts += (head, txids, members.keys, little_endian(members.senders), little_endian(members.recipients))
        size += len(head) + len(txids) + members.size
        if size >= ROW_BYTES:
            yield seal(b"".join(parts))
            parts, size = parts[:1], 0
    if size:
        yield seal(b"".join(parts))


def replay(rows: Iterable[tuple[bytes, bytes]]) -> Layer:
    """The layer that the journal's rows (key, value) contain. DamagedStoreError if one is damaged or missing."""
    layer = Layer()
    expected: int | None = None
    for key, row in rows:
        number = int.from_bytes(key, "big")
        what = f"row {number} of the journal"
        if len(key) != _KEY.size or expected not in (None, number):
            raise DamagedStoreError(f"the journal is damaged: found {what} instead of row {expected}")
        try:
            _read(layer, Reader(unseal(row, what)))
        except DecodeError as error:
            raise DamagedStoreError(f"{what} is damaged: {error}") from None
        expected = layer.end = number + 1
    return layer


def _read(layer: Layer, reader: Reader) -> None:
    kind = reader.u8()
    if kind == _ACCOUNTS:
        count = reader.u32()
        keys = split_hashes(reader.take(count * KEY_BYTES))
        values = iter(numbers("Q", reader.take(count * 16)))
        layer.accounts.update(zip(keys, map(Account, values, values), strict=True))
        reader.finish()
    elif kind == _BLOCKS:
        blocks, txids = [], []
        while reader.remaining:
            number, transactions, accounts = reader.u32(), reader.u32(), reader.u32()
            txids.append(reader.take(transactions * HASH_BYTES))
            joined = reader.take(accounts * KEY_BYTES)
            senders, recipients = (numbers("I", reader.take(transactions * 4)) for _ in range(2))
            if any(max(indexes, default=0) >= accounts for indexes in (senders, recipients)):
                raise DecodeError("it names accounts that it does not have")
            blocks.append(Members(number, joined, senders, recipients))
        layer.connect(blocks, b"".join(txids))
    else:
        raise DecodeError(f"its kind is {kind}")
