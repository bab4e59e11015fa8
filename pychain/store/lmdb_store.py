"""The daemon's store: LMDB for data that is looked up and changes, block files for data that is written once.

A commit has three steps, each durable before the next: the bodies, the names of new block files, and the LMDB
transaction with the places of the bodies and everything else. A crash in between leaves bodies without an index entry,
and the next opening removes them. So the store is always in the state after some commit: the last one that returned, or
the one that was under way.

Accounts, places of transactions and histories are first written to a journal and kept in memory (`memtable`); between
commits `tend` sweeps them into their tables. The next opening reads what is left in the journal.

Any thread may read. `commit`, `tend` and `close` exclude each other. `advance`, and reads that must not change in
between, belong to one thread: the event loop's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pychain.consensus.state import Account, Reward
from pychain.ledger.store import Batch, DamagedBlockError, IndexSlice, StoreError, TransactionPlace
from pychain.store.block_files import ROLL_BYTES, START, BlockFiles, Position, sync_directory
from pychain.store.environment import MAP_BYTES, Environment
from pychain.store.errors import StoreRefusedError
from pychain.store.journal import replay
from pychain.store.memtable import ACCOUNT_BYTES
from pychain.store.pruning import prune
from pychain.store.records import (
    decode_end,
    decode_index,
    decode_number_key,
    decode_place,
    decode_reward,
    unseal,
)
from pychain.store.schema import END, NEXT, TIP, find_databases, open_databases
from pychain.store.state import State
from pychain.store.sweep import Pace, sweep
from pychain.store.writing import Counters, journalled, write_batch

CACHE_BYTES = 256 << 20
"""Memory for changes that wait to be swept, and for the cache of accounts: half for each."""

_INDEX_SLICE = 4096
"""Headers read at a time and hashed in one call: under a megabyte."""

_JOURNAL_SLICE = 32
"""Rows of the journal read at a time: a few megabytes."""

_ENDED = object()


class LmdbStore:
    """A `WritableStore` in a directory."""

    def __init__(
        self,
        directory: Path,
        genesis_hash: bytes,
        *,
        read_only: bool = False,
        cache_bytes: int = CACHE_BYTES,
        map_bytes: int = MAP_BYTES,
        roll_bytes: int = ROLL_BYTES,
    ) -> None:
        """Open the store in `directory`, and create it if it is missing; `read_only`: while another process writes it.

        cache_bytes: about how much memory it uses, apart from a commit under way and the system's page cache. The
        caller makes sure that only one process writes. StoreRefusedError if the directory is of another chain or
        version, StoreError if it cannot be used.
        """
        with _named(f"cannot open the store in {directory}"):
            self._open(directory, genesis_hash, read_only, cache_bytes, map_bytes, roll_bytes)
        self._read_only = read_only
        self._waiting_limit = cache_bytes // 2
        self._pace = Pace()
        self._sweep: Iterator[None] | None = None
        self._writing = threading.Lock()
        self._failure = StoreError("the store is open for reading only") if read_only else None

    def _open(
        self,
        directory: Path,
        genesis_hash: bytes,
        read_only: bool,
        cache_bytes: int,
        map_bytes: int,
        roll_bytes: int,
    ) -> None:
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
            recovered = replay(self._journal())
            self._state = State(self._environment, self._databases, recovered, cache_bytes // 2 // ACCOUNT_BYTES)
            next_number = self._environment.pinned.get(self._databases.meta, NEXT)
            self._counters = Counters(0 if next_number is None else decode_number_key(next_number), recovered.end)
            self.damaged = tuple(self._check(newest))
        except BaseException:
            self._environment.close()
            raise

    # --- reads of the pinned snapshot

    def tip(self) -> bytes | None:
        return self._environment.pinned.get(self._databases.meta, TIP)

    def index(self) -> Iterator[IndexSlice]:
        """As in `Store`. An `advance` during the iteration affects the rows that follow."""
        start = b"\0"
        while rows := self._environment.pinned.rows(self._databases.headers, start, _INDEX_SLICE):
            yield decode_index(rows)
            start = rows[-1][0] + b"\0"

    def account(self, key: bytes) -> Account:
        return self._state.account(key)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        return self._state.accounts(keys)

    def undo(self, block_hash: bytes) -> bytes | None:
        row = self._environment.pinned.get(self._databases.undo, block_hash)
        return None if row is None else unseal(row, "an undo record")

    def reward(self, block_hash: bytes) -> Reward | None:
        row = self._environment.pinned.get(self._databases.rewards, block_hash)
        return None if row is None else decode_reward(row)

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        return self._state.transaction(txid)

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        return self._state.history(key, limit, before)

    def table(self, name: str) -> bytes | None:
        row = self._environment.pinned.get(self._databases.tables, name.encode())
        return None if row is None else unseal(row, f"table '{name}'")

    def advance(self) -> None:
        self._environment.advance()
        if self._read_only:
            self._state.memtable.replace(replay(self._journal()))
        else:
            self._state.memtable.advance()

    # --- any thread

    def body(self, block_hash: bytes) -> bytes | None:
        row = self._environment.newest.get(self._databases.bodies, block_hash)
        return None if row is None else self._files.read(block_hash, decode_place(row))

    def has_body(self, block_hash: bytes) -> bool:
        return self._environment.newest.get(self._databases.bodies, block_hash) is not None

    def prefetch(self, keys: Sequence[bytes]) -> None:
        self._state.prefetch(keys)

    def commit(self, batch: Batch) -> None:
        with self._writing:
            if self._failure is not None:
                raise self._failure
            try:
                if self._state.memtable.size > self._waiting_limit:
                    self._sweep_all()
                self._commit(batch)
            except StoreError as error:
                self._failure = error
                raise

    def tend(self, quiet: bool) -> bool:
        with self._writing:
            if self._failure is not None:
                return False
            try:
                return self._tend(1 if quiet else self._waiting_limit // 2)
            except StoreError as error:
                self._failure = error
                return False

    def prune(self, below: int, keep_bytes: int) -> int:
        """As in `WritableStore`, by whole block files; the current one stays."""
        with self._writing:
            if self._failure is not None:
                return 0
            with _named("cannot remove old blocks"):
                return prune(self._files, self._environment, self._databases, self._end.file, below, keep_bytes)

    def release_memory(self) -> None:
        self._environment.remap()

    def close(self) -> None:
        """As in `WritableStore`. Sweeps all that waits; if that fails, it stays in the journal."""
        with self._writing:
            if self._failure is None:
                self._state.memtable.advance()
                with suppress(StoreError):
                    self._sweep_all()
            self._failure = StoreError("the store is closed")
            self._environment.close()
            self._state.forget()

    # --- internals, called with the write lock held

    def _commit(self, batch: Batch) -> None:
        changes = journalled(batch, self._counters)
        appended = self._files.append(self._end, batch.bodies)
        databases = self._databases
        self._environment.write(lambda transaction: write_batch(transaction, databases, batch, appended, changes))
        self._end, self._counters = appended.end, changes.next
        if changes.rows:
            self._state.memtable.add(changes.layer)

    def _tend(self, enough: int) -> bool:
        """One step of a sweep; begins one if at least `enough` visible bytes wait. Returns whether there is more."""
        memtable = self._state.memtable
        memtable.absorb()
        if self._sweep is None:
            if memtable.active_size < enough:
                return False
            self._sweep = sweep(self._environment, self._databases, memtable.freeze(), self._pace)
        if next(self._sweep, _ENDED) is not _ENDED:
            return True
        self._sweep = None
        self._state.swept()
        return memtable.active_size >= enough

    def _sweep_all(self) -> None:
        self._pace.hurried = True
        while self._tend(1):
            pass
        self._pace.hurried = False

    # --- inside

    def _journal(self) -> Iterator[tuple[bytes, bytes]]:
        start = b"\0"
        while rows := self._environment.pinned.rows(self._databases.journal, start, _JOURNAL_SLICE):
            yield from rows
            start = rows[-1][0] + b"\0"

    def _stored_end(self) -> tuple[Position, list[bytes]]:
        row = self._environment.pinned.get(self._databases.meta, END)
        return (START, []) if row is None else decode_end(row)

    def _check(self, newest: list[bytes]) -> Iterator[DamagedBlockError]:
        for block_hash in newest:
            try:
                self.body(block_hash)
            except DamagedBlockError as damage:
                yield damage


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what failed."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror}", error.errno) from error


def _make_directories(directory: Path, *inner: Path) -> None:
    """Create missing directories, readable only by the owner, with durable names."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in inner:
        path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory)
