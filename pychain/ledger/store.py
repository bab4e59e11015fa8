"""What the ledger needs of a disk: synchronous reads, and one atomic batch after another. The whole contract is here.

Three protocols, by who uses them: `Store` is what a node reads, `BodyStore` what serves and checks blocks, and
`WritableStore`, which is both, what a runtime drives. `pychain.store` implements it over LMDB and block files,
`pychain.ledger.memory_store` in memory. A store of your own passes tests/ledger/test_store_contract.py, or it is none.

Reads show the state as of the last batch whose `CommitDone` the node has handled; the runtime calls `advance` just
before it hands that input over, so all runtimes see the same.

What goes wrong is a `StoreError`, an OSError with one line for a person. A missing thing is no error but None.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import NamedTuple, Protocol

from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.chain.header import Header
from pychain.consensus.state import Account, Reward


class StoreError(OSError):
    """The store cannot be read or written, or is closed.

    `str(error)` is one line that says what; `errno` is the system's code, if any.
    """

    def __init__(self, line: str, code: int | None = None) -> None:
        super().__init__(line)
        self.errno = code


class StoreFullError(StoreError):
    """No room for the batch: a full disk, a quota, a file size limit, no address space. The last commit stands."""


class DamagedStoreError(StoreError):
    """A row of the index or the state is not what was written."""


class DamagedBlockError(StoreError):
    """A stored body is gone, torn or has a flipped bit. Committing the same body again repairs it."""

    def __init__(self, block_hash: bytes, fault: str, where: str = "") -> None:
        """`where`: the place on the disk, ` in FILE ...`."""
        super().__init__(f"block {hash_hex(block_hash)}{where} is damaged: {fault}")
        self.block_hash = block_hash


class Status(IntFlag):
    """What a node knows of a block, as kept on disk (one byte)."""

    HEADER = 0
    """The header is valid in its place; nothing is known of the body."""
    BODY = 1
    """The body is stored and is the one that the header commits to."""
    VERIFIED = 2
    """Levels 1 and 2 hold, signatures included."""
    CONNECTED = 4
    """Level 3 held once: it was part of the active chain."""
    INVALID = 8
    """Judged invalid by itself, by a rule or by the operator's `invalidateblock`; descendants are invalid by
    inheritance.
    """


class IndexRecord(NamedTuple):
    """One known header and where it stands. Records sort as the store keeps them: by height and hash."""

    height: int
    hash: bytes
    raw: bytes
    """The header's 80 bytes."""
    status: int
    """Bits of `Status`."""

    @classmethod
    def of(cls, header: Header, height: int, status: Status) -> IndexRecord:
        return cls(height, header.hash, header.raw, status)


class IndexSlice(NamedTuple):
    """Some known headers in columns, back to back: 80 bytes of header, 32 of its hash, 1 of `Status` each.

    Their hashes have been worked out from the headers and held against those that they were stored under.
    """

    raw: bytes
    hashes: bytes
    statuses: bytes


class TransactionPlace(NamedTuple):
    """Where a transaction of the active chain is."""

    block_hash: bytes
    position: int


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one commit changes, atomically. Bodies reach the disk before the index that names them.

    bodies: block hash -> raw block, new ones only.
    index: headers that are new or whose status changed.
    accounts: key -> account after the batch; `ABSENT` removes the key.
    undo, rewards: block hash -> undo record, and the coinbase to credit at maturity, of blocks that connect.
    disconnected: hashes of blocks that leave the active chain, the last that it has. One that connected and left
    between two batches may be named too.
    connected: block hash -> block, of those that join the active chain behind the rest, in their order. One that
    left and comes back is in both.
    tip: hash of the active tip after the batch, None where it stays.
    tables: name -> bytes of the node's small tables (addresses, bans, mempool), replaced whole.
    """

    bodies: Mapping[bytes, bytes] = field(default_factory=dict)
    index: tuple[IndexRecord, ...] = ()
    accounts: Mapping[bytes, Account] = field(default_factory=dict)
    undo: Mapping[bytes, bytes] = field(default_factory=dict)
    rewards: Mapping[bytes, Reward] = field(default_factory=dict)
    disconnected: Collection[bytes] = ()
    connected: Mapping[bytes, Block] = field(default_factory=dict)
    tip: bytes | None = None
    tables: Mapping[str, bytes] = field(default_factory=dict)


class Store(Protocol):
    """The reads of a node: the state last advanced to. One thread reads and advances.

    Every read raises StoreError where the disk fails or the store is closed, DamagedStoreError where a row is damaged.
    """

    def tip(self) -> bytes | None:
        """Hash of the active tip, None in a store that was never written."""
        ...

    def index(self) -> Iterable[IndexSlice]:
        """All known headers by height and hash, genesis first, in slices of one or more."""
        ...

    def account(self, key: bytes) -> Account:
        """`ABSENT` where there is none."""
        ...

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        """`account` of each key, in the keys' order; cheaper than one by one."""
        ...

    def undo(self, block_hash: bytes) -> bytes | None:
        """The undo record of a block that connected, None where it never did or was pruned."""
        ...

    def reward(self, block_hash: bytes) -> Reward | None:
        """The coinbase to credit at maturity, of a block that connected."""
        ...

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        """Where a transaction of the active chain is."""
        ...

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        """Transactions of the active chain that name an account (sender, recipient, who a coinbase pays), newest first.

        Up to `limit`, of those older than the transaction `before`; none where that is not on the active chain.
        """
        ...

    def table(self, name: str) -> bytes | None:
        """One of the node's small tables, as it was last written."""
        ...


class BodyStore(Protocol):
    """The stored blocks. Any thread reads them, and sees committed batches and pruning at once."""

    @property
    def damaged(self) -> Sequence[DamagedBlockError]:
        """The damage that opening found in the newest bodies, which are those that a crash could have harmed. The
        runtime tells the node of each, as of those that a read finds later.
        """
        ...

    def body(self, block_hash: bytes) -> bytes | None:
        """The raw block, None where its body is not stored.

        DamagedBlockError where the disk does not give back what was written, each time until the body is committed
        again. A damaged body is never None and never other bytes. StoreError as in `Store`.
        """
        ...

    def has_body(self, block_hash: bytes) -> bool:
        """Whether a body is stored, damaged or not; cheaper than `body`. StoreError as in `Store`."""
        ...


class WritableStore(Store, BodyStore, Protocol):
    """All of a store, for the runtime that drives it.

    `commit`, `tend`, `prune` and `close` wait for each other, in whatever threads they are.
    After a failure of `commit` or `tend` nothing more is written until the store is reopened: only that tells what
    of it has reached the disk. The batch that failed is then there as a whole or not at all.
    """

    def commit(self, batch: Batch) -> None:
        """Make the batch durable: once this has returned, no crash takes it back. Any thread.

        StoreFullError where there is no room for it, StoreError where writing fails otherwise, and after a failure the
        same error again. A body that is stored already is written again and read from there, which repairs a damaged
        one. A batch that a crash interrupts is there as a whole or not at all at the next opening; its bodies may be
        there without it, and then nothing names them.
        """
        ...

    def advance(self) -> None:
        """Let reads see everything committed so far. In the thread that reads; StoreError as in `Store`."""
        ...

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """Bring accounts into memory, so that reading them soon does not wait for the disk. Any thread; StoreError as
        in `Store`.
        """
        ...

    def tend(self, quiet: bool) -> bool:
        """Do some milliseconds of work that commits left for later; True where there is more of it. No error: after a
        failure there is nothing to do, and the next commit tells of it.

        For the thread that commits, whenever nothing waits to be committed. quiet: it has been so for a while, so do
        also what could wait for more of its kind.
        """
        ...

    def prune(self, below: int, keep_bytes: int) -> int:
        """Remove the oldest bodies and their undo records until all bodies are within `keep_bytes`, as far as those of
        blocks under height `below` alone go. Any thread.

        Oldest is what was stored first; a store may remove in units of several bodies, and keep the unit that it
        writes to. Bodies are gone at once, undo records from the next `advance`; headers, accounts, transactions'
        places and rewards stay. Returns how many units went, 0 after a failure. StoreError where the disk fails, which
        keeps no commit from being made.
        """
        ...

    def release_memory(self) -> None:
        """Drop what was read so far, at the cost of reading it again. StoreError as in `Store`.

        In the thread that reads and between commits, as reads may show the newest one from then on.
        """
        ...

    def close(self) -> None:
        """Wait for what is under way, and end; all that was committed is there at the next opening. No error.

        After it `commit` and all reads raise StoreError, `tend` and `prune` do nothing, and so does another `close`.
        """
        ...
