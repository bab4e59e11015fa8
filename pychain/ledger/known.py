"""Signatures that hold: the transfers whose signature was checked on the way to the mempool, so that a block that has
them need not check them again (as Bitcoin Core's signature cache).

A txid covers all bytes of a transfer, its signature included, and whole txids are compared; the interpreter places them
in its table by a hash that is keyed anew in each process.
"""

from __future__ import annotations

MAX_KNOWN = 131_072
"""Some blocks' worth beyond what a full mempool holds; about 20 MB when full."""


class KnownSignatures:
    """A bounded set of txids; the oldest leave first. Worker threads may ask while the node's own thread adds."""

    def __init__(self, capacity: int = MAX_KNOWN) -> None:
        self._capacity = capacity
        self._txids: dict[bytes, None] = {}

    def __contains__(self, txid: object) -> bool:
        return txid in self._txids

    def __len__(self) -> int:
        return len(self._txids)

    def add(self, txid: bytes) -> None:
        self._txids[txid] = None
        if len(self._txids) > self._capacity:
            del self._txids[next(iter(self._txids))]
