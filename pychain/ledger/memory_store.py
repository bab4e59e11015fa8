"""A store in memory, for simulated nodes and tests: the daemon's semantics without its disk, and crashes on demand.

A commit has two moments, as on a disk: `start`, and `finish` when it is durable. `commit` is both at once. What was
started and not finished is lost in a crash; what was finished is there, whether or not it was ever advanced to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from pychain.chain.block import Block
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.ledger.parties import parties
from pychain.ledger.store import Batch, IndexRecord, IndexSlice, TransactionPlace


class MemoryStore:
    """A `WritableStore` whose rows are the very objects of the batches, which many nodes of one process share."""

    def __init__(self) -> None:
        self._started: deque[Batch] = deque()
        self._finished: deque[Batch] = deque()
        self._bodies: dict[bytes, bytes] = {}
        self._tip: bytes | None = None
        self._index: dict[bytes, IndexRecord] = {}
        self._accounts: dict[bytes, Account] = {}
        self._undo: dict[bytes, bytes] = {}
        self._rewards: dict[bytes, Reward] = {}
        self._chain: dict[bytes, Block] = {}
        """The active chain's blocks by hash, in their order."""
        self._transactions: dict[bytes, TransactionPlace] = {}
        self._tables: dict[str, bytes] = {}

    def tip(self) -> bytes | None:
        return self._tip

    def index(self) -> Iterator[IndexSlice]:
        """By height and hash, as a store on disk yields them."""
        if records := sorted(self._index.values()):
            raw = b"".join([record.raw for record in records])
            hashes = b"".join([record.hash for record in records])
            yield IndexSlice(raw, hashes, bytes([record.status for record in records]))

    def account(self, key: bytes) -> Account:
        return self._accounts.get(key, ABSENT)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        return [self._accounts.get(key, ABSENT) for key in keys]

    def undo(self, block_hash: bytes) -> bytes | None:
        return self._undo.get(block_hash)

    def reward(self, block_hash: bytes) -> Reward | None:
        return self._rewards.get(block_hash)

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        return self._transactions.get(txid)

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        start = None if before is None else self._transactions.get(before)
        return [] if before is not None and start is None else list(islice(self._history(key, start), limit))

    def _history(self, key: bytes, start: TransactionPlace | None) -> Iterator[TransactionPlace]:
        """All places of an account, newest first, behind `start`: slow, for few blocks."""
        for block_hash, block in reversed(self._chain.items()):
            for position in range(block.count - 1, -1, -1):
                place = TransactionPlace(block_hash, position)
                if start is not None:
                    start = None if place == start else start
                elif key in parties(block.transaction(position)):
                    yield place

    def table(self, name: str) -> bytes | None:
        return self._tables.get(name)

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """All is in memory."""

    def tend(self, quiet: bool) -> bool:
        """Nothing is ever left for later."""
        return False

    def body(self, block_hash: bytes) -> bytes | None:
        return self._bodies.get(block_hash)

    def commit(self, batch: Batch) -> None:
        self.start(batch)
        self.finish()

    def start(self, batch: Batch) -> None:
        """Begin a commit: nothing shows, and a crash loses it."""
        self._started.append(batch)

    def finish(self) -> None:
        """The oldest commit begun is durable: its bodies show now, the rest from the next `advance`."""
        batch = self._started.popleft()
        self._bodies.update(batch.bodies)
        self._finished.append(batch)

    def advance(self) -> None:
        while self._finished:
            self._show(self._finished.popleft())

    def crash(self) -> None:
        """Forget what is not durable, and stand as a store that was opened anew."""
        self._started.clear()
        self.advance()

    def _show(self, batch: Batch) -> None:
        if batch.tip is not None:
            self._tip = batch.tip
        self._index.update((record.hash, record) for record in batch.index)
        for key, account in batch.accounts.items():
            if account == ABSENT:
                self._accounts.pop(key, None)
            else:
                self._accounts[key] = account
        self._undo.update(batch.undo)
        self._rewards.update(batch.rewards)
        for block_hash in batch.disconnected:
            if block := self._chain.pop(block_hash, None):
                for txid in block.txid_list():
                    del self._transactions[txid]
        for block_hash, block in batch.connected.items():
            self._chain[block_hash] = block
            for position, txid in enumerate(block.txid_list()):
                self._transactions[txid] = TransactionPlace(block_hash, position)
        self._tables.update(batch.tables)
