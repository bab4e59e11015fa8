"""The write-behind overlay: changes that the node has made and the store does not show yet.

Reads look at the working changes, then the batch under way, then the store. One batch is under way at a time: `seal`
returns the working changes as a `Batch`, and `settle` drops it once the store has advanced to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from pychain.chain.block import Block
from pychain.consensus.state import Account, BulkAccountReader, Reward
from pychain.ledger.store import Batch, IndexRecord, Store


class AccountLayer:
    """Account changes over another reader; the base is never written."""

    __slots__ = ("base", "changes")

    def __init__(self, base: BulkAccountReader) -> None:
        self.base = base
        self.changes: dict[bytes, Account] = {}

    def account(self, key: bytes) -> Account:
        account = self.changes.get(key)
        return self.base.account(key) if account is None else account

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        if not self.changes:
            return self.base.accounts(keys)
        return fill_up(list(map(self.changes.get, keys)), keys, self.base.accounts)


def fill_up(
    found: list[Account | None], keys: Sequence[bytes], read: Callable[[Sequence[bytes]], list[Account]]
) -> list[Account]:
    """The accounts of `keys`: those already found, and the rest from `read`."""
    if all(found):
        return cast(list[Account], found)
    rest = iter(read([key for key, account in zip(keys, found, strict=True) if account is None]))
    return [next(rest) if account is None else account for account in found]


class Overlay:
    """Collects one batch while another is being written; reads see both and the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way = Batch()
        self._reset()

    def _reset(self) -> None:
        self._bodies: dict[bytes, bytes] = {}
        self._index: dict[bytes, IndexRecord] = {}
        self._accounts: dict[bytes, Account] = {}
        self._undo: dict[bytes, bytes] = {}
        self._rewards: dict[bytes, Reward] = {}
        self._disconnected: dict[bytes, None] = {}
        self._connected: dict[bytes, Block] = {}
        self._tip: bytes | None = None
        self._tables: dict[str, bytes] = {}
        self.body_bytes = 0
        """Bytes of bodies waiting to be written."""
        self.connected_transactions = 0
        """Transactions of connected blocks waiting to be written, a measure of the batch's size."""

    # --- reads

    def account(self, key: bytes) -> Account:
        for layer in (self._accounts, self._under_way.accounts):
            account = layer.get(key)
            if account is not None:
                return account
        return self._store.account(key)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        return fill_up(list(map(self._accounts.get, keys)), keys, self._settled_accounts)

    def _settled_accounts(self, keys: Sequence[bytes]) -> list[Account]:
        """The accounts as they were before the working changes."""
        return fill_up(list(map(self._under_way.accounts.get, keys)), keys, self._store.accounts)

    def undo(self, block_hash: bytes) -> bytes | None:
        return self._undo.get(block_hash) or self._under_way.undo.get(block_hash) or self._store.undo(block_hash)

    def reward(self, block_hash: bytes) -> Reward | None:
        return (
            self._rewards.get(block_hash) or self._under_way.rewards.get(block_hash) or self._store.reward(block_hash)
        )

    def body(self, block_hash: bytes) -> bytes | None:
        """A body that may not be on disk yet; None: read it from the disk."""
        return self._bodies.get(block_hash) or self._under_way.bodies.get(block_hash)

    # --- writes

    def put_index(self, records: Iterable[IndexRecord]) -> None:
        for record in records:
            self._index[record.hash] = record

    def put_body(self, block_hash: bytes, raw: bytes) -> None:
        if block_hash not in self._bodies:
            self._bodies[block_hash] = raw
            self.body_bytes += len(raw)

    def put_accounts(self, changes: Mapping[bytes, Account]) -> None:
        self._accounts.update(changes)

    def put_table(self, name: str, content: bytes) -> None:
        self._tables[name] = content

    def connect(self, block: Block, undo: bytes, reward: Reward) -> None:
        """Record a connected block (its accounts are put separately), and move the tip to it."""
        block_hash = block.hash
        self._undo[block_hash] = undo
        self._rewards[block_hash] = reward
        self._connected[block_hash] = block
        self.connected_transactions += block.count
        self._tip = block_hash

    def disconnect(self, block_hash: bytes, parent_hash: bytes) -> None:
        """Record a disconnected block, and move the tip back to its parent."""
        waiting = self._connected.pop(block_hash, None)
        if waiting is not None:
            self.connected_transactions -= waiting.count
        self._disconnected[block_hash] = None
        self._tip = parent_hash

    # --- commits

    @property
    def empty(self) -> bool:
        return not (self._index or self._bodies or self._tables or self._tip)

    def seal(self) -> Batch:
        """The working changes as a batch, which is now under way."""
        self._under_way = Batch(
            self._bodies,
            tuple(self._index.values()),
            self._accounts,
            self._undo,
            self._rewards,
            tuple(self._disconnected),
            self._connected,
            self._tip,
            self._tables,
        )
        self._reset()
        return self._under_way

    def settle(self) -> None:
        """Drop the batch under way, as the store has advanced to it."""
        for block in self._under_way.connected.values():
            block.forget_moves()
        self._under_way = Batch()
