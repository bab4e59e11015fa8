"""Raw blocks in append-only files `blk00000.dat`, `blk00001.dat`, ...: written once, synced, read by position.

A record is `4 magic | u32 length | u32 crc32 of the body | body`. The checksum detects what disks and crashes do to
files: torn writes, flipped and zeroed bytes, a record in another's place. It does not protect against forgery; the
block's own hash and merkle root do. A body starts with its header, so the blocks of a file can be identified without
the index.

Block files are independent of commits. The caller keeps the `Position` after the last record in its index; the next
append starts there and overwrites what an interrupted append may have left.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pychain.ledger.store import DamagedBlockError, StoreError, StoreFullError
from pychain.store.errors import NO_ROOM

ROLL_BYTES = 128 << 20
"""A new file starts when the next record would exceed this: few files for a whole chain, small steps in pruning."""

_WRITE_BUFFER_BYTES = 1 << 20
"""Small records are buffered up to this size before a system call."""

_MAGIC = b"pyBK"
_RECORD = struct.Struct("<4sII")


class Position(NamedTuple):
    """A place between records: file number and byte offset."""

    file: int
    offset: int


START = Position(0, 0)


class Place(NamedTuple):
    """Where one body is: file number, offset of its record, bytes and crc32 of the body."""

    file: int
    offset: int
    length: int
    crc: int


class Appended(NamedTuple):
    """The result of an append: the place of each body, and the position after the last one."""

    places: dict[bytes, Place]
    end: Position


def sync_directory(path: Path) -> None:
    """Make the file names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BlockFiles:
    """The block files of one directory. `read` is safe in any thread; one thread at a time may append."""

    def __init__(self, directory: Path, roll_bytes: int = ROLL_BYTES) -> None:
        self._directory = directory
        self._roll_bytes = roll_bytes

    def path(self, file: int) -> Path:
        return self._directory / f"blk{file:05d}.dat"

    def exist(self) -> bool:
        """Whether there is any block file."""
        return any(self._directory.glob("blk*.dat"))

    def numbers(self) -> list[int]:
        """The numbers of the existing files, in order."""
        stems = [path.stem.removeprefix("blk") for path in self._directory.glob("blk*.dat")]
        return sorted([int(stem) for stem in stems if stem.isdecimal()])

    def total_bytes(self) -> int:
        """The size of all files together."""
        return sum([self.path(number).stat().st_size for number in self.numbers()])

    def remove(self, number: int) -> int:
        """Delete a file; returns its size."""
        path = self.path(number)
        size = path.stat().st_size
        path.unlink()
        return size

    def heads(self, number: int, size: int) -> Iterator[bytes]:
        """Up to `size` first bytes of each body in a file, in order, up to its end or the first invalid record."""
        with self.path(number).open("rb") as file:
            while len(head := file.read(_RECORD.size)) == _RECORD.size:
                magic, length, _ = _RECORD.unpack(head)
                if magic != _MAGIC:
                    return
                body = file.read(min(size, length))
                yield body
                file.seek(length - len(body), os.SEEK_CUR)

    def cut(self, end: Position) -> None:
        """Remove everything after `end`: the remains of an append without a commit."""
        for path in self._directory.glob("blk*.dat"):
            number = path.stem.removeprefix("blk")
            if number.isdecimal() and int(number) > end.file:
                path.unlink()
        path = self.path(end.file)
        if path.exists() and path.stat().st_size > end.offset:
            os.truncate(path, end.offset)

    def append(self, end: Position, bodies: Mapping[bytes, bytes]) -> Appended:
        """Write bodies (block hash -> raw block) after `end`; they are durable on return.

        StoreFullError if there is no room, StoreError if writing fails otherwise.
        """
        places: dict[bytes, Place] = {}
        records: list[bytes] = []
        """Record headers and bodies in turn, from `start` in `file` on."""
        file, start = end
        offset = start
        try:
            for block_hash, body in bodies.items():
                if offset and offset + _RECORD.size + len(body) > self._roll_bytes:
                    self._write(file, start, records)
                    file, start, offset, records = file + 1, 0, 0, []
                crc = zlib.crc32(body)
                places[block_hash] = Place(file, offset, len(body), crc)
                records += (_RECORD.pack(_MAGIC, len(body), crc), body)
                offset += _RECORD.size + len(body)
            self._write(file, start, records)
        except OSError as error:
            kind = StoreFullError if error.errno in NO_ROOM else StoreError
            raise kind(f"cannot write blocks in {self._directory}: {error.strerror}", error.errno) from error
        return Appended(places, Position(file, offset))

    def read(self, block_hash: bytes, place: Place) -> bytes:
        """The body at `place`; DamagedBlockError unless magic, length and checksum match."""
        path = self.path(place.file)

        def damaged(fault: str) -> DamagedBlockError:
            return DamagedBlockError(block_hash, fault, f" in {path} at offset {place.offset}")

        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                if file.read(_RECORD.size) != _RECORD.pack(_MAGIC, place.length, place.crc):
                    raise damaged("no record with its length and checksum is there")
                body = file.read(place.length)
        except DamagedBlockError:
            raise
        except OSError as error:
            raise damaged(f"it cannot be read ({error.strerror})") from error
        if zlib.crc32(body) != place.crc:
            raise damaged("its bytes do not give its checksum")
        return body

    def _write(self, file: int, start: int, records: list[bytes]) -> None:
        """Write consecutive records to one file and sync it; a new file's name is synced too."""
        if not records:
            return
        descriptor = os.open(self.path(file), os.O_WRONLY | os.O_CREAT, 0o600)
        with open(descriptor, "wb", buffering=_WRITE_BUFFER_BYTES) as out:
            out.seek(start)
            out.writelines(records)
            out.flush()
            _sync(out.fileno())
        if start == 0:
            sync_directory(self._directory)


def _sync(descriptor: int) -> None:
    """Make a file's bytes durable. (On macOS fsync stops at the drive's own cache.)"""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)
