"""A chain as one file: the blocks of the active chain from height 1 on, framed as in Bitcoin's bootstrap file.

A record is `4 magic | u32 length | raw block`, little-endian, the magic being the first four bytes of the genesis hash:
so a file of another network is recognised at its first record. Blocks have their own proof, and need no checksum.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pychain.base.errors import PychainError

_RECORD = struct.Struct("<4sI")


class ChainFileError(PychainError):
    """The file is not a chain of this network, or is damaged."""


def magic_of(genesis_hash: bytes) -> bytes:
    """The first bytes of each record of a network's chain file."""
    return genesis_hash[:4]


def write_chain(out: BinaryIO, genesis_hash: bytes, blocks: Iterable[bytes]) -> None:
    """Write raw blocks, parents first."""
    magic = magic_of(genesis_hash)
    for raw in blocks:
        out.write(_RECORD.pack(magic, len(raw)))
        out.write(raw)


def read_chain(source: BinaryIO, genesis_hash: bytes, max_block_bytes: int) -> Iterator[bytes]:
    """The raw blocks of a file. ChainFileError if it is of another network, damaged, or ends within a block."""
    magic, number = magic_of(genesis_hash), 0
    while head := source.read(_RECORD.size):
        number += 1
        if len(head) < _RECORD.size:
            raise ChainFileError(f"the file ends within record {number}")
        found, length = _RECORD.unpack(head)
        if found != magic:
            what = "this is not a chain of this network" if number == 1 else f"record {number} is damaged"
            raise ChainFileError(f"{what}: {magic.hex()} is expected, not {found.hex()}")
        if length > max_block_bytes:
            raise ChainFileError(f"record {number} has {length} bytes, a block at most {max_block_bytes}")
        raw = source.read(length)
        if len(raw) < length:
            raise ChainFileError(f"the file ends within record {number}")
        yield raw
