"""What stands in a store's LMDB directory, and whose it is: databases by name, format version, genesis hash."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from pathlib import Path

import lmdb

from pychain.chain.hashes import hash_hex
from pychain.daemon.store.environment import Environment
from pychain.daemon.store.errors import StoreRefusedError

SCHEMA = 1
"""The format that this code reads and writes; raised by one with every change of a row or a file."""

TIP = b"tip"
END = b"end"
_SCHEMA = b"schema"
_GENESIS = b"genesis"

_VERSION = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Databases:
    """Handles of the databases; a field's name is the database's. Rows are as in `records`.

    `meta` holds schema (u32), genesis (32 hash), and once there are any, tip (32 hash) and end (see `encode_end`).
    """

    meta: lmdb._Database
    headers: lmdb._Database
    accounts: lmdb._Database
    undo: lmdb._Database
    rewards: lmdb._Database
    connections: lmdb._Database
    transactions: lmdb._Database
    bodies: lmdb._Database
    tables: lmdb._Database


def open_databases(
    environment: Environment, directory: Path, genesis_hash: bytes, *, read_only: bool, orphans: bool
) -> Databases:
    """Open the databases; where there are none, create them all at once. StoreRefusedError: they are not for this node.

    directory: what a person knows the store by. orphans: there are block files, so a store without a schema has lost
    it.
    """

    def open_all(transaction: lmdb.Transaction[bytes]) -> Databases:
        try:
            handles = {
                field.name: environment.open_database(field.name, transaction, create=not read_only)
                for field in fields(Databases)
            }
        except lmdb.NotFoundError:
            raise StoreRefusedError(f"{directory} holds no store") from None
        databases = Databases(**handles)
        version = transaction.get(_SCHEMA, db=databases.meta)
        if version is not None:
            _check(directory, version, transaction.get(_GENESIS, db=databases.meta), genesis_hash)
        elif orphans or read_only:
            raise StoreRefusedError(f"{directory} has block files without their index; move them away to start anew")
        else:
            transaction.put(_SCHEMA, _VERSION.pack(SCHEMA), db=databases.meta)
            transaction.put(_GENESIS, genesis_hash, db=databases.meta)
        return databases

    return environment.read(open_all) if read_only else environment.write(open_all)


def _check(directory: Path, version: bytes, stored_genesis: bytes | None, genesis_hash: bytes) -> None:
    if version != _VERSION.pack(SCHEMA):
        number = _VERSION.unpack(version)[0] if len(version) == _VERSION.size else "unknown"
        raise StoreRefusedError(f"{directory} is in store format {number}; this version reads format {SCHEMA} alone")
    if stored_genesis != genesis_hash:
        theirs = hash_hex(stored_genesis or b"")
        raise StoreRefusedError(f"{directory} holds the chain of genesis {theirs}, not of {hash_hex(genesis_hash)}")
