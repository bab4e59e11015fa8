"""The write-behind overlay: what the node has decided and the store does not show yet.

Reads see working changes, then the batch under way, then the store. One batch is under way at a time: `seal` hands
the working changes over as a `Batch`, `settle` forgets it once the store has advanced to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from pychain.consensus.state import Account, AccountReader, Reward
from pychain.ledger.store import Batch, IndexRecord, Store, TransactionPlace


class AccountLayer:
    """Account changes over another reader; the base is never written."""

    __slots__ = ("base", "changes")

    def __init__(self, base: AccountReader) -> None:
        self.base = base
        self.changes: dict[bytes, Account] = {}

    def account(self, key: bytes) -> Account:
        account = self.changes.get(key)
        return self.base.account(key) if account is None else account


class _Places(Mapping[bytes, TransactionPlace]):
    """Where the transactions of connected blocks are. Worked out when it is first read, which is when the batch is
    written, off the loop."""

    def __init__(self, blocks: Mapping[bytes, Sequence[bytes]]) -> None:
        self._blocks = blocks

    @cached_property
    def _places(self) -> dict[bytes, TransactionPlace]:
        return {
            txid: TransactionPlace(block_hash, position)
            for block_hash, txids in self._blocks.items()
            for position, txid in enumerate(txids)
        }

    def __getitem__(self, txid: bytes) -> TransactionPlace:
        return self._places[txid]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class _Departed(Collection[bytes]):
    """The txids that left the active chain and are in none of the blocks that joined it. Worked out as `_Places` is."""

    def __init__(self, blocks: Mapping[bytes, Sequence[bytes]], places: _Places) -> None:
        self._blocks = blocks
        self._places = places

    @cached_property
    def _txids(self) -> dict[bytes, None]:
        return {txid: None for txids in self._blocks.values() for txid in txids if txid not in self._places}

    def __contains__(self, txid: object) -> bool:
        return txid in self._txids

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._txids)

    def __len__(self) -> int:
        return len(self._txids)


class Overlay:
    """Collects one batch while another is being written, and answers reads over both and the store."""

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
        self._connected: dict[bytes, Sequence[bytes]] = {}
        self._disconnected: dict[bytes, Sequence[bytes]] = {}
        """Block hash -> the txids of the block, for blocks that joined or left the active chain."""
        self._tip: bytes | None = None
        self._tables: dict[str, bytes] = {}
        self.body_bytes = 0
        """Bytes of bodies that wait to be written."""
        self.connected_transactions = 0
        """Transactions whose places wait to be written, a measure of the batch's size."""

    # --- reads

    def account(self, key: bytes) -> Account:
        for layer in (self._accounts, self._under_way.accounts):
            account = layer.get(key)
            if account is not None:
                return account
        return self._store.account(key)

    def undo(self, block_hash: bytes) -> bytes | None:
        return self._undo.get(block_hash) or self._under_way.undo.get(block_hash) or self._store.undo(block_hash)

    def reward(self, block_hash: bytes) -> Reward | None:
        return (
            self._rewards.get(block_hash) or self._under_way.rewards.get(block_hash) or self._store.reward(block_hash)
        )

    def body(self, block_hash: bytes) -> bytes | None:
        """A body that may not be on disk yet; None means: read it from there."""
        return self._bodies.get(block_hash) or self._under_way.bodies.get(block_hash)

    # --- writes

    def put_index(self, record: IndexRecord) -> None:
        self._index[record.header.hash] = record

    def put_body(self, block_hash: bytes, raw: bytes) -> None:
        if block_hash not in self._bodies:
            self._bodies[block_hash] = raw
            self.body_bytes += len(raw)

    def put_accounts(self, changes: Mapping[bytes, Account]) -> None:
        self._accounts.update(changes)

    def put_table(self, name: str, content: bytes) -> None:
        self._tables[name] = content

    def connect(self, block_hash: bytes, txids: Sequence[bytes], undo: bytes, reward: Reward) -> None:
        """Record what connecting a block leaves besides the accounts, and move the tip to it."""
        self._undo[block_hash] = undo
        self._rewards[block_hash] = reward
        self._connected[block_hash] = txids
        self.connected_transactions += len(txids)
        self._tip = block_hash

    def disconnect(self, block_hash: bytes, parent_hash: bytes, txids: Sequence[bytes]) -> None:
        """Record that the tip moves back to a block's parent and its transactions leave the chain."""
        self.connected_transactions -= len(self._connected.pop(block_hash, ()))
        self._disconnected[block_hash] = txids
        self._tip = parent_hash

    # --- commits

    @property
    def empty(self) -> bool:
        return not (self._index or self._bodies or self._tables or self._tip)

    def seal(self) -> Batch:
        """The working changes as a batch, which is under way from now on."""
        places = _Places(self._connected)
        self._under_way = Batch(
            self._bodies,
            tuple(self._index.values()),
            self._accounts,
            self._undo,
            self._rewards,
            places,
            _Departed(self._disconnected, places),
            self._tip,
            self._tables,
        )
        self._reset()
        return self._under_way

    def settle(self) -> None:
        """The store has advanced to the batch under way."""
        self._under_way = Batch()
