"""Pruning: whole block files are removed, oldest first, if all their blocks are deep enough.

The index rows of their bodies and the undo records are deleted first, in one transaction, and then the file. A crash
between the two leaves a file without index rows, which the next pruning removes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import lmdb

from pychain import native
from pychain.base.errors import DecodeError
from pychain.chain.block import HEAD_BYTES, named_height
from pychain.chain.header import HEADER_BYTES
from pychain.store.block_files import BlockFiles
from pychain.store.environment import Environment
from pychain.store.records import decode_place
from pychain.store.schema import Databases


class _Held(NamedTuple):
    """A block in a file."""

    block_hash: bytes
    height: int


def prune(
    files: BlockFiles, environment: Environment, databases: Databases, current: int, below: int, keep_bytes: int
) -> int:
    """Remove files older than number `current` until all fit in `keep_bytes`; a file with a block at height `below` or
    above stays, and so do all after it. Returns how many were removed. StoreError if the index cannot be written.
    """
    total, removed = files.total_bytes(), 0
    for number in files.numbers():
        if number >= current or total <= keep_bytes:
            break
        held = list(_held(files, number))
        if any(block.height >= below for block in held):
            break
        environment.write(partial(_forget, databases, number, held))
        total -= files.remove(number)
        removed += 1
    return removed


def _held(files: BlockFiles, number: int) -> Iterator[_Held]:
    """The blocks of a file whose headers can be read; damaged ones are removed with the file."""
    for head in files.heads(number, HEAD_BYTES):
        try:
            yield _Held(native.sha256d(head[:HEADER_BYTES]), named_height(head))
        except DecodeError:
            continue


def _forget(databases: Databases, number: int, held: list[_Held], transaction: lmdb.Transaction[bytes]) -> None:
    """Delete the rows of blocks that are in this file, except blocks that were written again to a later file."""
    for block_hash, _ in held:
        row = transaction.get(block_hash, db=databases.bodies)
        if row is not None and decode_place(row).file == number:
            transaction.delete(block_hash, db=databases.bodies)
            transaction.delete(block_hash, db=databases.undo)
