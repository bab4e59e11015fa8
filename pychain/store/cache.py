"""A cache of the account table: accounts that were recently read, or just written to the table.

It is read after the memtable, so it may lag behind the memtable but never behind the tables. It is bounded by two
generations: when the young one is full it becomes the old one, and what was not read meanwhile is dropped with the
previous old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from threading import Lock

from pychain.consensus.state import Account

_SLICE = 4_096


class AccountCache:
    """Up to `limit` accounts. Any thread may read, and `put` what it has read from the table."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._lock = Lock()
        self._young: dict[bytes, Account] = {}
        self._old: dict[bytes, Account] = {}
        self.epoch = 0
        """Counts the sweeps."""

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def generations(self) -> tuple[Mapping[bytes, Account], Mapping[bytes, Account]]:
        """The mappings to look a key up in, in this order."""
        return self._young, self._old

    def get(self, key: bytes) -> Account | None:
        return self._young.get(key) or self._old.get(key)

    def put(self, accounts: Mapping[bytes, Account], epoch: int) -> None:
        """Keep accounts read from the table, unless a sweep has ended since: `epoch` is that before the read."""
        with self._lock:
            if epoch == self.epoch:
                self._keep(accounts)

    def swept(self, accounts: Mapping[bytes, Account]) -> None:
        """Update with the accounts that a sweep has written, once reads of the table see them."""
        with self._lock:
            self.epoch += 1
        items = iter(accounts.items())
        while piece := dict(islice(items, _SLICE)):
            with self._lock:
                self._keep(piece)

    def clear(self) -> None:
        """Drop everything, and ignore what was read before."""
        with self._lock:
            self.epoch += 1
            self._young, self._old = {}, {}

    def _keep(self, accounts: Mapping[bytes, Account]) -> None:
        self._young.update(accounts)
        if len(self._young) > self._half:
            self._old = self._young if self._half else {}
            self._young = {}
