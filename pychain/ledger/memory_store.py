"""A store in memory: the reference implementation of the contract, for simulated nodes and tests. It does no I/O.

A commit has two steps, as on a disk: `start`, and `finish` when it is durable. `commit` does both. A crash loses what
was started and not finished; what was finished survives, whether or not `advance` showed it.

Disk faults can be injected: the disk is `full`, a body is damaged, a crash tears a commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import islice

from pychain.base.errors import DecodeError
from pychain.chain.block import Block, named_height
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.ledger.parties import parties
from pychain.ledger.store import (
    Batch,
    DamagedBlockError,
    IndexRecord,
    IndexSlice,
    StoreError,
    StoreFullError,
    TransactionPlace,
)


@dataclass(slots=True)
class _Rows:
    """The state that reads see."""

    tip: bytes | None = None
    index: dict[bytes, IndexRecord] = field(default_factory=dict)
    accounts: dict[bytes, Account] = field(default_factory=dict)
    undo: dict[bytes, bytes] = field(default_factory=dict)
    rewards: dict[bytes, Reward] = field(default_factory=dict)
    chain: dict[bytes, Block] = field(default_factory=dict)
    """The active chain's blocks by hash, in their order."""
    transactions: dict[bytes, TransactionPlace] = field(default_factory=dict)
    tables: dict[str, bytes] = field(default_factory=dict)

    def apply(self, batch: Batch) -> None:
        if batch.tip is not None:
            self.tip = batch.tip
        self.index.update((record.hash, record) for record in batch.index)
        for key, account in batch.accounts.items():
            if account == ABSENT:
                self.accounts.pop(key, None)
            else:
                self.accounts[key] = account
        self.undo.update(batch.undo)
        self.rewards.update(batch.rewards)
        for block_hash in batch.disconnected:
            if block := self.chain.pop(block_hash, None):
                for txid in block.txid_list():
                    del self.transactions[txid]
        for block_hash, block in batch.connected.items():
            self.chain[block_hash] = block
            for position, txid in enumerate(block.txid_list()):
                self.transactions[txid] = TransactionPlace(block_hash, position)
        self.tables.update(batch.tables)

    def history(self, key: bytes, start: TransactionPlace | None) -> Iterator[TransactionPlace]:
        """All places of an account, newest first, older than `start`: slow, for few blocks."""
        for block_hash, block in reversed(self.chain.items()):
            for position in range(block.count - 1, -1, -1):
                place = TransactionPlace(block_hash, position)
                if start is not None:
                    start = None if place == start else start
                elif key in parties(block.transaction(position)):
                    yield place

    def copy(self) -> _Rows:
        return _Rows(
            self.tip,
            dict(self.index),
            dict(self.accounts),
            dict(self.undo),
            dict(self.rewards),
            dict(self.chain),
            dict(self.transactions),
            dict(self.tables),
        )


class MemoryStore:
    """A `WritableStore` whose rows are the objects of the batches themselves, so that many nodes can share them."""

    def __init__(self) -> None:
        self.full = False
        """Whether the disk is full: then the next commit to finish fails."""
        self.damaged: tuple[DamagedBlockError, ...] = ()
        self._started: deque[Batch] = deque()
        self._finished: deque[Batch] = deque()
        self._bodies: dict[bytes, bytes] = {}
        """By hash, oldest first."""
        self._broken: dict[bytes, None] = {}
        self._newest: tuple[bytes, ...] = ()
        """Bodies of the last commit that had any: these are checked on opening."""
        self._shown = _Rows()
        self._failure: StoreError | None = None
        self._closed = False

    # --- reads of the state

    @property
    def _rows(self) -> _Rows:
        self._must_be_open()
        return self._shown

    def tip(self) -> bytes | None:
        return self._rows.tip

    def index(self) -> Iterator[IndexSlice]:
        """By height and hash, as a store on disk yields them."""
        if records := sorted(self._rows.index.values()):
            raw = b"".join([record.raw for record in records])
            hashes = b"".join([record.hash for record in records])
            yield IndexSlice(raw, hashes, bytes([record.status for record in records]))

    def account(self, key: bytes) -> Account:
        return self._rows.accounts.get(key, ABSENT)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        accounts = self._rows.accounts
        return [accounts.get(key, ABSENT) for key in keys]

    def undo(self, block_hash: bytes) -> bytes | None:
        return self._rows.undo.get(block_hash)

    def reward(self, block_hash: bytes) -> Reward | None:
        return self._rows.rewards.get(block_hash)

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        return self._rows.transactions.get(txid)

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        rows = self._rows
        start = None if before is None else rows.transactions.get(before)
        return [] if before is not None and start is None else list(islice(rows.history(key, start), limit))

    def table(self, name: str) -> bytes | None:
        return self._rows.tables.get(name)

    # --- bodies

    def body(self, block_hash: bytes) -> bytes | None:
        self._must_be_open()
        if block_hash in self._broken:
            raise _damage(block_hash)
        return self._bodies.get(block_hash)

    def has_body(self, block_hash: bytes) -> bool:
        self._must_be_open()
        return block_hash in self._bodies

    def stored(self) -> tuple[bytes, ...]:
        """The hashes of all bodies, damaged ones too, oldest first."""
        return tuple(self._bodies)

    # --- writing

    def commit(self, batch: Batch) -> None:
        self.start(batch)
        self.finish()

    def start(self, batch: Batch) -> None:
        """Begin a commit, which reads do not see and a crash loses. After a failure, the same error again."""
        if self._failure is not None:
            raise self._failure
        self._started.append(batch)

    def finish(self) -> None:
        """Make the oldest started commit durable: its bodies can be read now, the rest after the next `advance`. If it
        fails, all started commits are lost.
        """
        if self.full and self._failure is None:
            self._failure = StoreFullError("cannot write the batch: no space left on the simulated disk")
        if self._failure is not None:
            self._started.clear()
            raise self._failure
        batch = self._started.popleft()
        self._write(batch.bodies.items())
        self._newest = tuple(batch.bodies) or self._newest
        self._finished.append(batch)

    def advance(self) -> None:
        self._must_be_open()
        self._show()

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """Does nothing: all is in memory."""
        self._must_be_open()

    def tend(self, quiet: bool) -> bool:
        """Does nothing: commits leave no work for later."""
        return False

    def prune(self, below: int, keep_bytes: int) -> int:
        """As in `WritableStore`, body by body; bodies of batches not yet advanced to stay."""
        if self._failure is not None:
            return 0
        total, removed = sum(map(len, self._bodies.values())), 0
        waiting = {block_hash for batch in self._finished for block_hash in batch.bodies}
        for block_hash, raw in list(self._bodies.items()):
            if total <= keep_bytes or block_hash in waiting or _is_at_least(raw, below):
                break
            total -= len(self._bodies.pop(block_hash))
            self._broken.pop(block_hash, None)
            self._shown.undo.pop(block_hash, None)
            removed += 1
        return removed

    def release_memory(self) -> None:
        """Does nothing: there is nothing that could be read again."""
        self._must_be_open()

    def close(self) -> None:
        """As in `WritableStore`. `crash` opens it again."""
        self._closed = True
        self._failure = StoreError("the store is closed")

    # --- disk faults

    @property
    def under_way(self) -> tuple[Batch, ...]:
        """The commits that were started and not finished, oldest first."""
        return tuple(self._started)

    def damage(self, block_hash: bytes) -> None:
        """Damage a stored body until it is committed again. KeyError if it is not stored."""
        if block_hash not in self._bodies:
            raise KeyError(block_hash)
        self._broken[block_hash] = None

    def crash(self, torn: Collection[bytes] = ()) -> None:
        """Lose what is not durable, and reopen the store.

        torn: the bodies of started commits that had reached the disk. They are stored, though no index names them.
        """
        for batch in self._started:
            self._write([item for item in batch.bodies.items() if item[0] in torn])
        self._started.clear()
        self._closed, self._failure = False, None
        self._show()
        self.damaged = tuple([_damage(block_hash) for block_hash in self._newest if block_hash in self._broken])

    def copy(self) -> MemoryStore:
        """An independent store with the same content; the rows are shared, as they never change."""
        copied = copy(self)
        copied._started, copied._finished = deque(self._started), deque(self._finished)
        copied._bodies, copied._broken = dict(self._bodies), dict(self._broken)
        copied._shown = self._shown.copy()
        return copied

    # --- inside

    def _must_be_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _show(self) -> None:
        while self._finished:
            self._shown.apply(self._finished.popleft())

    def _write(self, bodies: Collection[tuple[bytes, bytes]]) -> None:
        for block_hash, raw in bodies:
            self._bodies.pop(block_hash, None)  # a body that is written again becomes the newest
            self._bodies[block_hash] = raw
            self._broken.pop(block_hash, None)


def _damage(block_hash: bytes) -> DamagedBlockError:
    return DamagedBlockError(block_hash, "it was damaged on the simulated disk")


def _is_at_least(raw: bytes, height: int) -> bool:
    try:
        return named_height(raw) >= height
    except DecodeError:
        return False
