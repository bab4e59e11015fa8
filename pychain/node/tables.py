"""The node's small tables on disk: known addresses, bans, and the mempool. Saved regularly, and when the node stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from pychain.base.deadlines import Deadlines
from pychain.base.errors import DecodeError
from pychain.base.time import NS, Now
from pychain.chain.transaction import MAX_MEMO_BYTES, TRANSFER_BYTES
from pychain.ledger.overlay import Overlay
from pychain.ledger.store import Store
from pychain.node.transfers import TransferIntake
from pychain.p2p import saved
from pychain.p2p.addresses import AddressManager
from pychain.p2p.misbehaviour import Misbehaviour

SAVE_INTERVAL_NS = 60 * NS
"""A crash loses at most this much of addresses and pending transfers; a clean stop loses nothing."""
MAX_POOL_BYTES_A_TURN = 4 * 1024 * 1024
"""A larger mempool is saved only at a clean stop (as Core does always), since saving it takes too long for a turn."""

_ADDRESSES = "addresses"
_BANS = "bans"
_MEMPOOL = "mempool"
_MEMPOOL_MAGIC = b"pychain mempool 1\n"
_RawTransfers = list[Annotated[bytes, msgspec.Meta(max_length=TRANSFER_BYTES + MAX_MEMO_BYTES)]]
_TRANSFERS = msgspec.msgpack.Decoder(_RawTransfers)


class Tables:
    """Loads the tables at the start, and puts changed ones into commits."""

    def __init__(
        self,
        store: Store,
        overlay: Overlay,
        transfers: TransferIntake,
        addresses: AddressManager,
        misbehaviour: Misbehaviour,
        deadlines: Deadlines,
    ) -> None:
        self._store = store
        self._overlay = overlay
        self._transfers = transfers
        self._addresses = addresses
        self._misbehaviour = misbehaviour
        self._last: dict[str, bytes] = {}
        self._next_save_ns: int | None = None
        self._wake = deadlines.add(self)

    def load(self, now: Now) -> list[str]:
        """Load the address and ban tables. A damaged one starts empty, with a line about it in the result."""
        self._next_save_ns = now.mono_ns + SAVE_INTERVAL_NS
        self._wake(self._next_save_ns)
        notices = []
        for name, table in ((_ADDRESSES, self._addresses), (_BANS, self._misbehaviour)):
            content = self._store.table(name)
            if content is not None:
                try:
                    table.load(content)
                except DecodeError as error:
                    notices.append(f"the saved {name} are unreadable and start empty: {error}")
        return notices

    def saved_transfers(self) -> Iterator[bytes]:
        """Raw transfers that were pending when the table was saved; none if it is damaged."""
        content = self._store.table(_MEMPOOL)
        if content is not None:
            try:
                yield from saved.load(_MEMPOOL_MAGIC, content, _TRANSFERS)
            except DecodeError:
                return

    def poll(self, now: Now) -> None:
        """Save if it is time."""
        if self._next_save_ns is not None and now.mono_ns >= self._next_save_ns:
            self._next_save_ns = now.mono_ns + SAVE_INTERVAL_NS
            self._save_peers()
            if self._transfers.mempool.bytes <= MAX_POOL_BYTES_A_TURN:
                self._save_transfers()

    def deadline(self) -> int | None:
        return self._next_save_ns

    def save(self) -> None:
        """Put every table that changed since it was last saved into the next commit."""
        self._save_peers()
        self._save_transfers()

    def _save_peers(self) -> None:
        self._put(_ADDRESSES, self._addresses.dump())
        self._put(_BANS, self._misbehaviour.dump())

    def _save_transfers(self) -> None:
        pending = [pending.transfer.raw for queue in self._transfers.mempool.queues() for pending in queue]
        self._put(_MEMPOOL, saved.dump(_MEMPOOL_MAGIC, [*pending, *self._transfers.unsettled()]))

    def _put(self, name: str, content: bytes) -> None:
        if self._last.get(name) != content:
            self._last[name] = content
            self._overlay.put_table(name, content)
