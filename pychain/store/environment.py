"""One LMDB environment: pinned reads, one writer, a map that grows, and failures in the project's words.

The map is address space, not disk: LMDB writes the pages it uses and no more. So it starts huge, and most nodes never
see it grow; where so much cannot be had (a limit on address space), it starts small. A write that finds it full doubles
it and runs again. LMDB allows no transaction to be open while the map moves, so all reads go through two `Snapshot`s:
the writer takes their locks for that moment, ends both, and begins them again on the new map.

A snapshot begun again shows the newest commit. That is what it showed before, unless commits still wait for their
`advance`; then it runs ahead by those. A node cannot tell: it has one commit under way at a time, and reads through an
overlay of it.

Reads need no affinity: py-lmdb opens with MDB_NOTLS, so a read transaction belongs to whoever holds its lock. A write
transaction must stay in the thread that began it, and does, living in one call.
"""

from __future__ import annotations

import errno
import mmap
import os
import resource
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import lmdb

from pychain.ledger.store import DamagedStoreError, StoreError, StoreFullError
from pychain.store.errors import NO_ROOM

MAP_BYTES = 64 << 30
"""The first map: room for a billion transactions, and 1,000 of them still fit in a process (47 bits)."""

SMALL_MAP_BYTES = 64 << 20
"""The first map where `MAP_BYTES` of address space cannot be had."""

_MAP_STEP = 1 << 20
"""Maps grow by multiples of this, which is whole pages everywhere."""

_SPARE_BYTES = 32 << 20
"""Address space that a growing map leaves to the rest of the process."""

_MAX_DATABASES = 16

_FULL_BELOW_BYTES = 1 << 20
"""LMDB calls a write that was cut short an I/O error; with less than this left, it was cut short for want of room."""

_DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.VersionMismatchError)

T = TypeVar("T")


class Snapshot:
    """One read transaction, kept until it is renewed. Any thread may read it, and the writer move it between two reads.

    All reads raise StoreError where LMDB fails.
    """

    def __init__(self, environment: lmdb.Environment, directory: Path) -> None:
        self.lock = threading.Lock()
        self._environment = environment
        self._directory = directory
        self._transaction = environment.begin()

    def get(self, database: lmdb._Database, key: bytes) -> bytes | None:
        """The row of `key`, None where there is none."""
        try:
            with self.lock:
                return self._transaction.get(key, db=database)
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def get_many(self, database: lmdb._Database, keys: Sequence[bytes]) -> list[bytes | None]:
        """`get` of each key. Sorted keys are found faster."""
        try:
            with self.lock:
                return [self._transaction.get(key, db=database) for key in keys]
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def rows(self, database: lmdb._Database, start: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows (key, value) in order, the first at or behind `start`."""
        try:
            with self.lock, self._transaction.cursor(database) as cursor:
                return list(islice(cursor, limit)) if cursor.set_range(start) else []
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def rows_before(self, database: lmdb._Database, key: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows (key, value) in falling order, the first one's key below `key`."""
        try:
            with self.lock, self._transaction.cursor(database) as cursor:
                found = cursor.prev() if cursor.set_range(key) else cursor.last()
                return list(islice(cursor.iterprev(), limit)) if found else []
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def renew(self) -> None:
        """Show the newest commit."""
        with self.lock:
            self.end()
            self.begin()

    def end(self) -> None:
        """With the lock held: give up the transaction."""
        self._transaction.abort()

    def begin(self) -> None:
        """With the lock held, after `end`: the newest commit."""
        self._transaction = self._environment.begin()


class Environment:
    """An open LMDB directory. `pinned` is what the node reads, renewed by `advance`; `newest` follows every commit."""

    def __init__(self, directory: Path, *, read_only: bool, map_bytes: int) -> None:
        self._directory = directory
        self._read_only = read_only
        try:
            try:
                self._lmdb = self._open(map_bytes)
            except lmdb.MemoryError:
                self._lmdb = self._open(min(map_bytes, SMALL_MAP_BYTES))
            self._lmdb.reader_check()
            self._beside = threading.Lock()
            self.pinned = Snapshot(self._lmdb, directory)
            self.newest = Snapshot(self._lmdb, directory)
        except lmdb.Error as error:
            raise fault(error, directory) from error

    def _open(self, map_bytes: int) -> lmdb.Environment:
        return lmdb.open(
            os.fspath(self._directory),
            map_size=map_bytes,
            readonly=self._read_only,
            create=not self._read_only,
            mode=0o700,
            max_dbs=_MAX_DATABASES,
            max_spare_txns=0,
        )

    def open_database(self, name: str, transaction: lmdb.Transaction[bytes] | None = None) -> lmdb._Database:
        """The handle of a named database: created where missing in a write transaction, else lmdb.NotFoundError."""
        return self._lmdb.open_db(name.encode(), txn=transaction, create=transaction is not None)

    def write(self, apply: Callable[[lmdb.Transaction[bytes]], T]) -> T:
        """Apply changes as one durable transaction, or none of them.

        `apply` runs again where the map has to grow for it. Any exception leaves all as it was; StoreFullError is the
        want of room.
        """
        while True:
            try:
                with self._lmdb.begin(write=True) as transaction:
                    result = apply(transaction)
                self.newest.renew()
            except lmdb.MapFullError:
                self._grow()
            except lmdb.Error as error:
                raise fault(error, self._directory) from error
            else:
                return result

    def advance(self) -> None:
        """Let `pinned` show the newest commit; where another process commits (`read_only`), `newest` too."""
        try:
            self.pinned.renew()
            if self._read_only:
                self.newest.renew()
        except lmdb.MapResizedError:
            self._move_map(0)
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def let_go(self) -> None:
        """Map the file anew: the pages read of it leave this process' memory, though not the system's cache. `pinned`
        shows the newest commit then.
        """
        self._move_map(0)

    def read_beside(self, database: lmdb._Database, keys: Sequence[bytes]) -> list[bytes | None]:
        """As `Snapshot.get_many` of the newest commit, for a thread that may wait for the disk and hold nobody up."""
        try:
            with self._beside, self._lmdb.begin(db=database) as transaction:
                return [transaction.get(key) for key in keys]
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def map_bytes(self) -> int:
        return self._lmdb.info()["map_size"]

    def close(self) -> None:
        """End all reads. No write may be under way."""
        with self.pinned.lock, self.newest.lock, self._beside:
            self.pinned.end()
            self.newest.end()
            self._lmdb.close()

    def _grow(self) -> None:
        """Double the map; where address space is short, grow it by what can be had."""
        size = self.map_bytes()
        extra = max(size, _MAP_STEP)
        while not _address_space(extra + _SPARE_BYTES):
            if extra <= _MAP_STEP:
                line = f"no address space is left to map more than {size} bytes of {self._directory}"
                raise StoreFullError(line, errno.ENOMEM)
            extra //= 2
        self._move_map(-(-(size + extra) // _MAP_STEP) * _MAP_STEP)

    def _move_map(self, size: int) -> None:
        """Map `size` bytes (0: as many as another process has), with every read transaction given up for the moment."""
        try:
            with self.pinned.lock, self.newest.lock, self._beside:
                self.pinned.end()
                self.newest.end()
                self._lmdb.set_mapsize(size)
                self.pinned.begin()
                self.newest.begin()
        except lmdb.Error as error:
            raise fault(error, self._directory) from error


def _address_space(count: int) -> bool:
    """Can so many more bytes be mapped? Asked before the map moves, for a move that fails leaves LMDB without any."""
    try:
        mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ).close()
    except OSError:
        return False
    return True


def fault(error: lmdb.Error, directory: Path) -> StoreError:
    """What LMDB's error means here, in one line."""
    line = f"the index in {directory} failed: {error}"
    if isinstance(error, _DAMAGE):
        return DamagedStoreError(line)
    code = next((code for code in (*NO_ROOM, errno.EIO) if os.strerror(code) in str(error)), None)
    if code == errno.EIO and _out_of_room(directory):
        code = errno.ENOSPC
    if code in NO_ROOM:
        return StoreFullError(f"cannot write the index in {directory}: {os.strerror(code)}", code)
    return StoreError(line, code)


def _out_of_room(directory: Path) -> bool:
    """Is the disk, or the size that the system allows a file, used up?"""
    disk = os.statvfs(directory)
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max((path.stat().st_size for path in directory.iterdir()), default=0)
    file_full = limit != resource.RLIM_INFINITY and largest + _FULL_BELOW_BYTES > limit
    return disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES or file_full
