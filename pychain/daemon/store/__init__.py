"""The node's disk: `LmdbStore`, and what can be wrong with it."""

from pychain.daemon.store.errors import (
    DamagedBlockError,
    DamagedStoreError,
    StoreError,
    StoreFullError,
    StoreRefusedError,
)
from pychain.daemon.store.lmdb_store import LmdbStore

__all__ = [
    "DamagedBlockError",
    "DamagedStoreError",
    "LmdbStore",
    "StoreError",
    "StoreFullError",
    "StoreRefusedError",
]
