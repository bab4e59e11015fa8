"""The store on disk: `LmdbStore`, a `WritableStore` in a directory, and the error if it refuses a directory."""

from pychain.store.errors import StoreRefusedError
from pychain.store.lmdb_store import LmdbStore

__all__ = ["LmdbStore", "StoreRefusedError"]
