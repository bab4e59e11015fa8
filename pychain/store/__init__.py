"""The node's disk: `LmdbStore`, and what can be wrong with it."""

from pychain.store.errors import (
    DamagedBlockError,
    DamagedStoreError,
    StoreError,
    StoreFullError,
    StoreRefusedError,
)
from pychain.store.lmdb_store import LmdbStore

__all__ = [
    "DamagedBlockError",
    "DamagedStoreError",
    "LmdbStore",
    "StoreError",
    "StoreFullError",
    "StoreRefusedError",
]
