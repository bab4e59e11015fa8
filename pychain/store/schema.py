"""The databases of a store's LMDB directory, its format version and its genesis hash."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from pathlib import Path

import lmdb

from pychain.chain.hashes import hash_hex
from pychain.store.environment import Environment
from pychain.store.errors import StoreRefusedError

SCHEMA = 4
"""The format that this code reads and writes; incremented with every change of a row or a file."""

TIP = b"tip"
END = b"end"
NEXT = b"next"
_SCHEMA = b"schema"
_GENESIS = b"genesis"

_VERSION = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Databases:
    """Handles of the databases; fields are named like the databases. For the rows see `records`.

    `meta` has schema (u32), genesis (32 hash) and, after the first commit, tip (32 hash), end (see `encode_end`) and
    next (the number of the next connection, as in `connections`).
    """

    meta: lmdb._Database
    headers: lmdb._Database
    accounts: lmdb._Database
    undo: lmdb._Database
    rewards: lmdb._Database
    connections: lmdb._Database
    transactions: lmdb._Database
    history: lmdb._Database
    journal: lmdb._Database
    bodies: lmdb._Database
    tables: lmdb._Database


_NAMES = tuple(field.name for field in fields(Databases))


def open_databases(environment: Environment, directory: Path, genesis_hash: bytes, *, orphans: bool) -> Databases:
    """Open the databases, or create them all if there are none. StoreRefusedError if they are not for this node.

    directory: the store's, for messages. orphans: there are block files, so a store without a schema lost its index.
    """

    def open_all(transaction: lmdb.Transaction[bytes]) -> Databases:
        databases = Databases(**{name: environment.open_database(name, transaction) for name in _NAMES})
        version = transaction.get(_SCHEMA, db=databases.meta)
        if version is not None:
            _check(directory, version, transaction.get(_GENESIS, db=databases.meta), genesis_hash)
        elif orphans:
            raise StoreRefusedError(f"{directory} has block files without their index; move them away to start again")
        else:
            transaction.put(_SCHEMA, _VERSION.pack(SCHEMA), db=databases.meta)
            transaction.put(_GENESIS, genesis_hash, db=databases.meta)
        return databases

    return environment.write(open_all)


def find_databases(environment: Environment, directory: Path, genesis_hash: bytes) -> Databases:
    """Open the databases of a read-only environment. StoreRefusedError as above, or if there are none."""
    try:
        databases = Databases(**{name: environment.open_database(name) for name in _NAMES})
    except lmdb.NotFoundError:
        raise StoreRefusedError(f"{directory} holds no store") from None
    environment.advance()
    version, stored_genesis = (environment.pinned.get(databases.meta, key) for key in (_SCHEMA, _GENESIS))
    _check(directory, version, stored_genesis, genesis_hash)
    return databases


def _check(directory: Path, version: bytes | None, stored_genesis: bytes | None, genesis_hash: bytes) -> None:
    if version != _VERSION.pack(SCHEMA):
        number = _VERSION.unpack(version)[0] if version and len(version) == _VERSION.size else "unknown"
        raise StoreRefusedError(f"{directory} is in store format {number}; this version reads only format {SCHEMA}")
    if stored_genesis != genesis_hash:
        theirs = hash_hex(stored_genesis or b"")
        raise StoreRefusedError(f"{directory} holds the chain of genesis {theirs}, not of {hash_hex(genesis_hash)}")
