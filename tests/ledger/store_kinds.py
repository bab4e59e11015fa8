"""The stores that the contract's suite tests, and how each is brought into the states that it needs.

To test another store, add one line to KINDS: a class whose objects are a `Kind`.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import Batch, WritableStore
from pychain.store import LmdbStore, block_files
from pychain.store.environment import Environment
from tests.store.batches import GENESIS

ROLL_BYTES = 1_000
"""Small files, so that pruning has something to remove."""


class Kind(Protocol):
    """One store of some kind, and the faults that can be injected."""

    @property
    def store(self) -> WritableStore:
        """Open; another object after a crash or a reopening."""
        ...

    def reopen(self) -> None:
        """Close the store in order, and reopen it."""
        ...

    def crash(self) -> None:
        """The process dies without closing it; reopen it."""
        ...

    def crash_in_commit(self, batch: Batch, *, bodies_written: bool) -> None:
        """The process dies in the middle of a commit, before it was durable; reopen the store. bodies_written: the
        bodies had reached the disk.
        """
        ...

    def damage(self, block_hash: bytes) -> None:
        """The disk flips a bit in a stored body."""
        ...

    def fill(self) -> None:
        """From now on the disk has no room."""
        ...

    def make_room(self) -> None: ...

    def end(self) -> None:
        """The test is over."""
        ...


class MemoryKind:
    """The store in memory."""

    def __init__(self, _: Path) -> None:
        self.store = MemoryStore()

    def reopen(self) -> None:
        self.store.close()
        self.store.crash()

    def crash(self) -> None:
        self.store.crash()

    def crash_in_commit(self, batch: Batch, *, bodies_written: bool) -> None:
        self.store.start(batch)
        self.store.crash(tuple(batch.bodies) if bodies_written else ())

    def damage(self, block_hash: bytes) -> None:
        self.store.damage(block_hash)

    def fill(self) -> None:
        self.store.full = True

    def make_room(self) -> None:
        self.store.full = False

    def end(self) -> None:
        self.store.close()


class LmdbKind:
    """The store in a directory. A crash is simulated by opening a copy of its directory."""

    def __init__(self, directory: Path) -> None:
        self._base = directory
        self._lives = 0
        self._patch = pytest.MonkeyPatch()
        self.store = self._open()

    @property
    def _directory(self) -> Path:
        return self._base / f"life {self._lives}"

    def _open(self) -> LmdbStore:
        return LmdbStore(self._directory, GENESIS, roll_bytes=ROLL_BYTES)

    def reopen(self) -> None:
        self.store.close()
        self.store = self._open()

    def crash(self) -> None:
        left = self._directory
        self._lives += 1
        shutil.copytree(left, self._directory)
        self.store.close()
        self.store = self._open()

    def crash_in_commit(self, batch: Batch, *, bodies_written: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if bodies_written:
                patch.setattr(Environment, "write", _die)
            else:
                patch.setattr(block_files, "_sync", _die)
            with pytest.raises(DeathError):
                self.store.commit(batch)
        self.crash()

    def damage(self, block_hash: bytes) -> None:
        body = self.store.body(block_hash)
        assert body is not None
        for path in sorted((self._directory / "blocks").iterdir(), reverse=True):
            content = path.read_bytes()
            if (at := content.rfind(body)) >= 0:
                path.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
                return
        raise AssertionError("the body is in no block file")

    def fill(self) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self._patch.setattr(block_files, "_sync", full)

    def make_room(self) -> None:
        self._patch.undo()

    def end(self) -> None:
        self._patch.undo()
        self.store.close()


class DeathError(Exception):
    """The process is gone, as far as the store is concerned."""


def _die(*_: object) -> None:
    raise DeathError


KINDS: dict[str, Callable[[Path], Kind]] = {
    "lmdb": LmdbKind,
    "memory": MemoryKind,
}
"""Name -> factory for a new directory."""
