"""The node's disk: `LmdbStore`, a `WritableStore` in a directory, and why it may refuse one."""

from pychain.store.errors import StoreRefusedError
from pychain.store.lmdb_store import LmdbStore

__all__ = ["LmdbStore", "StoreRefusedError"]
