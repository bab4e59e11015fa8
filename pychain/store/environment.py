"""One LMDB environment: pinned reads, one writer, a map that grows, and errors as StoreErrors.

The map is address space, not disk: LMDB writes only the pages it uses. So it starts huge and rarely grows; if there is
a limit on address space, it starts small. A write that finds it full doubles it and runs again. LMDB allows no open
transaction while the map moves, so all reads go through two `Snapshot`s: the writer locks and ends both, and begins
them again on the new map.

A snapshot that begins again shows the newest commit, which may be ahead of the last `advance`. A node does not notice:
it has one commit under way at a time, and reads through an overlay of it.

Reads are not bound to a thread: py-lmdb opens with MDB_NOTLS, so a read transaction belongs to the holder of its lock.
A write transaction must stay in the thread that began it, and does: it lives within one call.
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
"""The first map: room for a billion transactions, and 1,000 maps still fit in a process (47 bits)."""

SMALL_MAP_BYTES = 64 << 20
"""The first map if `MAP_BYTES` of address space are not available."""

_MAP_STEP = 1 << 20
"""Maps grow by multiples of this, which is a multiple of the page size on every system."""

_SPARE_BYTES = 32 << 20
"""Address space that a growing map leaves for the rest of the process."""

_MAX_DATABASES = 16

_FULL_BELOW_BYTES = 1 << 20
"""LMDB reports a short write as an I/O error. With less free space than this, the disk was full."""

_DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.VersionMismatchError)

T = TypeVar("T")


class Snapshot:
    """One read transaction, kept until it is renewed. Any thread may read, and the writer may move it between two
    reads.

    All reads raise StoreError if LMDB fails.
    """

    def __init__(self, environment: lmdb.Environment, directory: Path) -> None:
        self.lock = threading.Lock()
        self._environment = environment
        self._directory = directory
        self._transaction = environment.begin()

    def get(self, database: lmdb._Database, key: bytes) -> bytes | None:
        """The row of `key`, None if there is none."""
        try:
            with self.lock:
                return self._transaction.get(key, db=database)
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def get_many(self, database: lmdb._Database, keys: Sequence[bytes]) -> list[bytes | None]:
        """`get` of each key. Sorted keys are faster."""
        try:
            with self.lock:
                return [self._transaction.get(key, db=database) for key in keys]
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def rows(self, database: lmdb._Database, start: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows (key, value) in order, with keys from `start` on."""
        try:
            with self.lock, self._transaction.cursor(database) as cursor:
                return list(islice(cursor, limit)) if cursor.set_range(start) else []
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def rows_before(self, database: lmdb._Database, key: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Up to `limit` rows (key, value) in descending order, with keys below `key`."""
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
        """End the transaction. Called with the lock held."""
        self._transaction.abort()

    def begin(self) -> None:
        """Begin again at the newest commit, after `end`. Called with the lock held."""
        self._transaction = self._environment.begin()


class Environment:
    """An open LMDB directory. The node reads `pinned`, which `advance` renews; `newest` follows every commit."""

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
        """The handle of a named database. If it is missing, a write transaction creates it; else lmdb.NotFoundError."""
        return self._lmdb.open_db(name.encode(), txn=transaction, create=transaction is not None)

    def write(self, apply: Callable[[lmdb.Transaction[bytes]], T]) -> T:
        """Apply changes as one durable transaction, or none of them.

        `apply` runs again if the map has to grow. Any exception leaves everything unchanged; StoreFullError if there is
        no room.
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
        """Let `pinned` show the newest commit; with `read_only`, where another process commits, `newest` too."""
        try:
            self.pinned.renew()
            if self._read_only:
                self.newest.renew()
        except lmdb.MapResizedError:
            self._move_map(0)
        except lmdb.Error as error:
            raise fault(error, self._directory) from error

    def remap(self) -> None:
        """Map the file again, which removes its pages from this process' memory, though not from the system's cache.
        `pinned` then shows the newest commit.
        """
        self._move_map(0)

    def read_beside(self, database: lmdb._Database, keys: Sequence[bytes]) -> list[bytes | None]:
        """As `Snapshot.get_many` of the newest commit, without blocking other readers while this one waits for the
        disk.
        """
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
        """Double the map; if address space is short, grow it by as much as possible."""
        size = self.map_bytes()
        extra = max(size, _MAP_STEP)
        while not _address_space(extra + _SPARE_BYTES):
            if extra <= _MAP_STEP:
                line = f"no address space is left to map more than {size} bytes of {self._directory}"
                raise StoreFullError(line, errno.ENOMEM)
            extra //= 2
        self._move_map(-(-(size + extra) // _MAP_STEP) * _MAP_STEP)

    def _move_map(self, size: int) -> None:
        """Map `size` bytes (0: as many as another process has), while no read transaction is open."""
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
    """Whether `count` more bytes can be mapped. Checked in advance, since a failed move leaves LMDB without a map."""
    try:
        mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ).close()
    except OSError:
        return False
    return True


def fault(error: lmdb.Error, directory: Path) -> StoreError:
    """The StoreError for an error of LMDB, with a message of one line."""
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
    """Whether the disk is full, or a file is at the system's size limit."""
    disk = os.statvfs(directory)
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max((path.stat().st_size for path in directory.iterdir()), default=0)
    file_full = limit != resource.RLIM_INFINITY and largest + _FULL_BELOW_BYTES > limit
    return disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES or file_full
