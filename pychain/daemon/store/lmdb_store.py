"""The daemon's store: LMDB for what is looked up and changes, block files for what is written once.

A commit is three steps, each durable before the next: the bodies, the names of new block files, and the LMDB
transaction that names the bodies and carries the rest. A process or a machine that dies in between leaves bodies that
nothing names; the next opening cuts them off. So a store is always as some commit left it: the last one that returned,
or the one that was under way.

Any thread may read and commit. `advance`, and what is read between two of them, is one thread's: the event loop's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import lmdb

from pychain.consensus.state import ABSENT, Account, Reward
from pychain.daemon.store.block_files import ROLL_BYTES, START, Appended, BlockFiles, Position, sync_directory
from pychain.daemon.store.connections import reconnect
from pychain.daemon.store.environment import MAP_BYTES, Environment
from pychain.daemon.store.errors import (
    DamagedBlockError,
    StoreError,
    StoreRefusedError,
)
from pychain.daemon.store.history import MAX_ENTRY, entry_of, history_rows, places, stored_entries
from pychain.daemon.store.records import (
    decode_account,
    decode_end,
    decode_index,
    decode_place,
    decode_reward,
    decode_transaction,
    encode_account,
    encode_end,
    encode_index,
    encode_place,
    encode_reward,
    encode_transaction,
    index_key,
    number_key,
    seal,
    unseal,
)
from pychain.daemon.store.schema import END, TIP, find_databases, open_databases
from pychain.ledger.parties import touched
from pychain.ledger.store import Batch, IndexSlice, TransactionPlace

_INDEX_SLICE = 4096
"""Headers that are read, and hashed in one call, at a time: under a megabyte."""

_NEWEST_BODIES = 8
"""Bodies of the last commit that the next opening checks: what a crash could have harmed, in a few milliseconds."""

T = TypeVar("T")


class LmdbStore:
    """A `WritableStore` in a directory.

    damaged: what opening found wrong with the newest bodies. Their reads raise the same.
    """

    def __init__(
        self,
        directory: Path,
        genesis_hash: bytes,
        *,
        read_only: bool = False,
        map_bytes: int = MAP_BYTES,
        roll_bytes: int = ROLL_BYTES,
    ) -> None:
        """Open the store in `directory`, creating it if need be; with `read_only`, as another process writes it.

        The caller sees to it that only one process writes. StoreRefusedError where the directory is not for this chain
        or this version, StoreError where it cannot be used.
        """
        with _named(directory):
            self._open(directory, genesis_hash, read_only, map_bytes, roll_bytes)
        self._writing = threading.Lock()
        self._failure = StoreError("the store was opened to be read alone") if read_only else None

    def _open(self, directory: Path, genesis_hash: bytes, read_only: bool, map_bytes: int, roll_bytes: int) -> None:
        state, blocks = directory / "state", directory / "blocks"
        self._files = BlockFiles(blocks, roll_bytes)
        if read_only and not (state / "data.mdb").exists():
            raise StoreRefusedError(f"{directory} holds no store")
        if not read_only:
            _make_directories(directory, state, blocks)
        self._environment = Environment(state, read_only=read_only, map_bytes=map_bytes)
        try:
            if read_only:
                self._databases = find_databases(self._environment, directory, genesis_hash)
            else:
                orphans = self._files.exist()
                self._databases = open_databases(self._environment, directory, genesis_hash, orphans=orphans)
                self._environment.advance()
            self._end, newest = self._stored_end()
            if not read_only:
                sync_directory(state)
                self._files.cut(self._end)
            self.damaged = tuple(self._check(newest))
        except BaseException:
            self._environment.close()
            raise

    # --- reads of the pinned snapshot

    def tip(self) -> bytes | None:
        return self._environment.pinned.get(self._databases.meta, TIP)

    def index(self) -> Iterator[IndexSlice]:
        """As in `Store`; by hash at each height. An `advance` meanwhile shows in the rows to come."""
        start = b"\0"
        while rows := self._environment.pinned.rows(self._databases.headers, start, _INDEX_SLICE):
            yield decode_index(rows)
            start = rows[-1][0] + b"\0"

    def account(self, key: bytes) -> Account:
        row = self._environment.pinned.get(self._databases.accounts, key)
        return ABSENT if row is None else decode_account(row)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        rows = self._environment.pinned.get_many(self._databases.accounts, sorted(keys))
        return [decode_account(rows[key]) if key in rows else ABSENT for key in keys]

    def undo(self, block_hash: bytes) -> bytes | None:
        row = self._environment.pinned.get(self._databases.undo, block_hash)
        return None if row is None else unseal(row, "an undo record")

    def reward(self, block_hash: bytes) -> Reward | None:
        row = self._environment.pinned.get(self._databases.rewards, block_hash)
        return None if row is None else decode_reward(row)

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        place = self._place(txid)
        block_hash = None if place is None else self._block_of(place[0])
        return None if place is None or block_hash is None else TransactionPlace(block_hash, place[1])

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        end = MAX_ENTRY
        if before is not None:
            place = self._place(before)
            if place is None or self._block_of(place[0]) is None:
                return []
            end = entry_of(*place)
        rows_before = partial(self._environment.pinned.rows_before, self._databases.history)
        return list(places(stored_entries(rows_before, key, end), limit, self._block_of))

    def table(self, name: str) -> bytes | None:
        row = self._environment.pinned.get(self._databases.tables, name.encode())
        return None if row is None else unseal(row, f"table '{name}'")

    def advance(self) -> None:
        self._environment.advance()

    # --- any thread

    def body(self, block_hash: bytes) -> bytes | None:
        """As in `WritableStore`; a DamagedBlockError where the file does not give back what was written."""
        row = self._environment.newest.get(self._databases.bodies, block_hash)
        return None if row is None else self._files.read(block_hash, decode_place(row))

    def commit(self, batch: Batch) -> None:
        """As in `WritableStore`; StoreFullError where there was no room for it.

        After a failure nothing more is committed: what of it has reached the disk is known only after the next opening.
        A body that is stored already is written anew and read from there, which is how a damaged one is mended.
        """
        with self._writing:
            if self._failure is not None:
                raise self._failure
            try:
                appended = self._files.append(self._end, batch.bodies)
                self._environment.write(lambda transaction: self._write(transaction, batch, appended))
            except StoreError as error:
                self._failure = error
                raise
            self._end = appended.end

    def release_memory(self) -> None:
        """Let go of what was read so far. Between commits, as reads show the newest one then."""
        self._environment.let_go()

    def close(self) -> None:
        """Wait for a commit under way, and end."""
        with self._writing:
            self._failure = StoreError("the store is closed")
            self._environment.close()

    # --- inside

    def _write(self, transaction: lmdb.Transaction[bytes], batch: Batch, appended: Appended) -> None:
        """One batch as changes of rows, each database's in the order of its keys: neighbours share pages."""
        databases = self._databases
        accounts = {key: account for key, account in batch.accounts.items() if account != ABSENT}
        _delete(transaction, databases.accounts, batch.accounts.keys() - accounts.keys())
        _put(transaction, databases.accounts, accounts, encode_account)
        self._write_connected(transaction, batch)
        _put(transaction, databases.headers, {index_key(record): record for record in batch.index}, encode_index)
        _put(transaction, databases.undo, batch.undo, seal)
        _put(transaction, databases.rewards, batch.rewards, encode_reward)
        _put(transaction, databases.bodies, appended.places, encode_place)
        _put(transaction, databases.tables, {name.encode(): table for name, table in batch.tables.items()}, seal)
        if appended.places:
            newest = list(appended.places)[-_NEWEST_BODIES:]
            transaction.put(END, encode_end(appended.end, newest), db=databases.meta)
        if batch.tip is not None:
            transaction.put(TIP, batch.tip, db=databases.meta)

    def _write_connected(self, transaction: lmdb.Transaction[bytes], batch: Batch) -> None:
        numbers = reconnect(transaction, self._databases, batch.disconnected, batch.connected)
        transactions: dict[bytes, bytes] = {}
        entries: dict[bytes, list[int]] = {}
        for block_hash, block in batch.connected.items():
            number = numbers[block_hash]
            for position, txid in enumerate(block.txid_list()):
                transactions[txid] = encode_transaction(number, position)
            for key, positions in touched(block).items():
                entries.setdefault(key, []).extend([entry_of(number, position) for position in positions])
        _put(transaction, self._databases.transactions, transactions, bytes)
        with transaction.cursor(self._databases.history) as cursor:
            cursor.putmulti(list(history_rows(entries)))

    def _place(self, txid: bytes) -> tuple[int, int] | None:
        """Number of the connection that brought a transaction last, and its position."""
        row = self._environment.pinned.get(self._databases.transactions, txid)
        return None if row is None else decode_transaction(row)

    def _block_of(self, number: int) -> bytes | None:
        """The block that is connected under a number."""
        return self._environment.pinned.get(self._databases.connections, number_key(number))

    def _stored_end(self) -> tuple[Position, list[bytes]]:
        row = self._environment.pinned.get(self._databases.meta, END)
        return (START, []) if row is None else decode_end(row)

    def _check(self, newest: list[bytes]) -> Iterator[DamagedBlockError]:
        for block_hash in newest:
            try:
                self.body(block_hash)
            except DamagedBlockError as damage:
                yield damage


def _put(
    transaction: lmdb.Transaction[bytes],
    database: lmdb._Database,
    rows: Mapping[bytes, T],
    encode: Callable[[T], bytes],
) -> None:
    if rows:
        with transaction.cursor(database) as cursor:
            cursor.putmulti([(key, encode(rows[key])) for key in sorted(rows)])


def _delete(transaction: lmdb.Transaction[bytes], database: lmdb._Database, keys: Iterable[bytes]) -> None:
    for key in sorted(keys):
        transaction.delete(key, db=database)


@contextmanager
def _named(directory: Path) -> Iterator[None]:
    """Give the system's refusals a line that names the store."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"cannot open the store in {directory}: {error.strerror}", error.errno) from error


def _make_directories(directory: Path, *inner: Path) -> None:
    """Create what is missing, for the owner's eyes only, with durable names."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in inner:
        path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory)
