"""Signatures that hold: the transfers whose signature was checked on the way to the mempool, so that a block that has
them need not check them again (as Bitcoin Core's signature cache).

A txid covers all bytes of a transfer, its signature included, and whole txids are compared; the interpreter places them
in its table by a hash that is keyed anew in each process.
"""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.rolling import RollingSet

KNOWN = 100_000
"""So many of the latest are remembered, some blocks' worth, and at most twice as many: 20 MB."""


class KnownSignatures:
    """A bounded set of txids; the oldest leave first. Any thread may ask while others add."""

    def __init__(self, capacity: int = KNOWN) -> None:
        self._txids: RollingSet[bytes] = RollingSet(capacity)

    def __contains__(self, txid: object) -> bool:
        return txid in self._txids

    def __len__(self) -> int:
        return len(self._txids)

    def add(self, txids: Iterable[bytes]) -> None:
        self._txids.update(txids)
