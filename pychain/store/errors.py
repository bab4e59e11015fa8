"""What can be wrong with a store: no room, damage, or a directory that is not this node's."""

from __future__ import annotations

import errno
from pathlib import Path

from pychain.base.errors import ConfigError
from pychain.chain.hashes import hash_hex

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's ways to say that a write found no room: disk, quota, size limit of a file."""


class StoreError(OSError):
    """The store cannot be read or written.

    `str(error)` is one line that says what; `errno` is the system's code, if any.
    """

    def __init__(self, line: str, code: int | None = None) -> None:
        super().__init__(line)
        self.errno = code


class StoreFullError(StoreError):
    """No room for the batch: a full disk, a quota, a file size limit, no address space. The last commit stands."""


class DamagedStoreError(StoreError):
    """A row of the index or the state is not what was written."""


class DamagedBlockError(StoreError):
    """A stored body is gone, torn or has a flipped bit. Committing the same body again mends it."""

    def __init__(self, path: Path, offset: int, block_hash: bytes, fault: str) -> None:
        super().__init__(f"block {hash_hex(block_hash)} in {path} at offset {offset} is damaged: {fault}")
        self.path = path
        self.offset = offset
        self.block_hash = block_hash


class StoreRefusedError(ConfigError):
    """The directory holds another chain, another format, or only a part of a store."""
