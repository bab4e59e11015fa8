"""Accounts as the tables have them, kept in memory: those read lately, and those that were just written there.

It is asked after the memtable, so it may lag behind that and never behind the tables. Two generations bound it: the
young one fills up, becomes the old one, and what nobody asked for meanwhile goes with the one that was old before.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from threading import Lock

from pychain.consensus.state import Account

_SLICE = 4_096


class AccountCache:
    """Up to `limit` accounts. Any thread may read; what it reads from a table it may put here, see `put`."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._lock = Lock()
        self._young: dict[bytes, Account] = {}
        self._old: dict[bytes, Account] = {}
        self.epoch = 0
        """Counts the sweeps over the tables."""

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def generations(self) -> tuple[Mapping[bytes, Account], Mapping[bytes, Account]]:
        """To look a key up in, in this order."""
        return self._young, self._old

    def get(self, key: bytes) -> Account | None:
        return self._young.get(key) or self._old.get(key)

    def put(self, accounts: Mapping[bytes, Account], epoch: int) -> None:
        """Keep what was read from the tables, unless a sweep has ended since: `epoch` is that from before the read."""
        with self._lock:
            if epoch == self.epoch:
                self._keep(accounts)

    def swept(self, accounts: Mapping[bytes, Account]) -> None:
        """A sweep has written these to the tables, and reads of the tables see them."""
        with self._lock:
            self.epoch += 1
        items = iter(accounts.items())
        while piece := dict(islice(items, _SLICE)):
            with self._lock:
                self._keep(piece)

    def clear(self) -> None:
        """Forget all, and take nothing that was read before."""
        with self._lock:
            self.epoch += 1
            self._young, self._old = {}, {}

    def _keep(self, accounts: Mapping[bytes, Account]) -> None:
        self._young.update(accounts)
        if len(self._young) > self._half:
            self._old = self._young if self._half else {}
            self._young = {}
