"""Reads of the journal and the large tables together: accounts, places of transactions, histories.

Reads look in the memtable first, then in the cache of accounts, then in the newest state of the tables. That state is
never ahead of the memtable, since a sweep writes only what reads see (`memtable` explains why the order is correct).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import filterfalse
from typing import cast

from pychain.chain.hashes import split_hashes
from pychain.chain.transaction import KEY_BYTES
from pychain.consensus.state import ABSENT, Account
from pychain.ledger.store import TransactionPlace
from pychain.native import sort_records
from pychain.store.cache import AccountCache
from pychain.store.environment import Environment
from pychain.store.history import MAX_ENTRY, places, stored_entries
from pychain.store.memtable import Layer, Memtable
from pychain.store.records import decode_account, decode_accounts, decode_entry, entry_of, number_key
from pychain.store.schema import Databases

_PREFETCHED = 4_096
"""Accounts looked up at a time, which holds the interpreter's lock for less than a millisecond."""


class State:
    """The large tables of one store, and the changes waiting to be written there."""

    def __init__(self, environment: Environment, databases: Databases, recovered: Layer, cached_accounts: int) -> None:
        """recovered: the journal's content. cached_accounts: how many the cache may keep."""
        self._environment = environment
        self._databases = databases
        self.memtable = Memtable(recovered)
        self.cache = AccountCache(cached_accounts)

    def account(self, key: bytes) -> Account:
        for layer in self.memtable.layers:
            account = layer.accounts.get(key)
            if account is not None:
                return account
        account = self.cache.get(key)
        if account is not None:
            return account
        row = self._environment.newest.get(self._databases.accounts, key)
        return ABSENT if row is None else decode_account(row)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        """As in `Store`; accounts read from the table are cached."""
        epoch, found = self.cache.epoch, self._in_memory(keys)
        if all(found):
            return cast(list[Account], found)
        missing = sorted({key for key, account in zip(keys, found, strict=True) if account is None})
        rows = self._environment.newest.get_many(self._databases.accounts, missing)
        read = dict(zip(missing, decode_accounts(rows), strict=True))
        self.cache.put(read, epoch)
        return [account or read[key] for key, account in zip(keys, found, strict=True)]

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """As in `WritableStore`."""
        for start in range(0, len(keys), _PREFETCHED):
            epoch, missing = self.cache.epoch, keys[start : start + _PREFETCHED]
            for accounts in self._memory():
                missing = list(filterfalse(accounts.__contains__, missing))
            if missing:
                ordered = split_hashes(sort_records([b"".join(missing)], KEY_BYTES).tobytes())
                rows = self._environment.read_beside(self._databases.accounts, ordered)
                self.cache.put(dict(zip(ordered, decode_accounts(rows), strict=True)), epoch)

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        entry = self._entry(txid)
        return None if entry is None else next(places((entry,), 1, self._block_of), None)

    def history(self, key: bytes, limit: int, before: bytes | None) -> list[TransactionPlace]:
        end = MAX_ENTRY
        if before is not None:
            entry = self._entry(before)
            if entry is None or self._block_of(entry >> 32) is None:
                return []
            end = entry
        return list(places(self._entries(key, end), limit, self._block_of))

    def swept(self) -> None:
        """Retire the frozen layer, as its sweep has ended."""
        layer = self.memtable.frozen
        assert layer is not None
        self.cache.swept(layer.accounts)
        self.memtable.retire()

    def forget(self) -> None:
        """Drop everything in memory, as the store is closed."""
        self.memtable.replace(Layer())
        self.cache.clear()

    # --- inside

    def _in_memory(self, keys: Sequence[bytes]) -> list[Account | None]:
        found: list[Account | None] = [None] * len(keys)
        for accounts in self._memory():
            found = [account or other for account, other in zip(found, map(accounts.get, keys), strict=True)]
        return found

    def _memory(self) -> Iterator[Mapping[bytes, Account]]:
        """The mappings that have accounts in memory, newest first."""
        layers = [layer.accounts for layer in self.memtable.layers]
        return (accounts for accounts in (*layers, *self.cache.generations) if accounts)

    def _entry(self, txid: bytes) -> int | None:
        """The last place of a transaction, whether or not its block is still connected."""
        for layer in self.memtable.layers:
            entry = layer.places.get(txid)
            if entry is not None:
                return entry
        row = self._environment.newest.get(self._databases.transactions, txid)
        return None if row is None else decode_entry(row)

    def _entries(self, key: bytes, before: int) -> Iterator[int]:
        """The entries of an account's history below one, newest first."""
        for members in self.memtable.blocks():
            if members.number <= before >> 32:
                first = entry_of(members.number, 0)
                yield from (entry for entry in (first + p for p in members.positions(key)) if entry < before)
            before = min(before, entry_of(members.number, 0))
        rows_before = partial(self._environment.newest.rows_before, self._databases.history)
        yield from stored_entries(rows_before, key, before)

    def _block_of(self, number: int) -> bytes | None:
        """The block connected under a number, as of the last `advance`."""
        return self._environment.pinned.get(self._databases.connections, number_key(number))
