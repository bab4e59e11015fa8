"""The signature cache, as Bitcoin Core's: transfers whose signature was checked on the way to the mempool, so that a
block with them need not check them again.

A txid covers all bytes of a transfer, its signature included, and whole txids are compared. Python's hash, which places
them in the table, has a new secret key in each process.
"""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.rolling import RollingSet

KNOWN = 100_000
"""The newest 100,000 are kept, enough for some blocks, and at most twice as many: 20 MB."""


class KnownSignatures:
    """A bounded set of txids; the oldest are dropped first. Any thread may look up while others add."""

    def __init__(self, capacity: int = KNOWN) -> None:
        self._txids: RollingSet[bytes] = RollingSet(capacity)

    def __contains__(self, txid: object) -> bool:
        return txid in self._txids

    def __len__(self) -> int:
        return len(self._txids)

    def add(self, txids: Iterable[bytes]) -> None:
        self._txids.update(txids)
