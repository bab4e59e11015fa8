"""The contract of a store: synchronous reads, and atomic batches one after another.

Three protocols for three users: a node reads `Store`; code that serves and checks blocks reads `BodyStore`; a runtime
drives `WritableStore`, which is both. `pychain.store` implements it over LMDB and block files,
`pychain.ledger.memory_store` in memory. Any other store must pass tests/ledger/test_store_contract.py.

Reads show the state as of the last batch whose `CommitDone` the node has handled: the runtime calls `advance` just
before it passes that input to the node, so the result is the same in all runtimes.

Failures raise `StoreError`, an OSError with a message of one line. A missing row is not an error: reads return None.
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

    `str(error)` is a message of one line; `errno` is the system's code, if any.
    """

    def __init__(self, line: str, code: int | None = None) -> None:
        super().__init__(line)
        self.errno = code


class StoreFullError(StoreError):
    """No room for the batch: a full disk, a quota, a file size limit, no address space. The last commit stands."""


class DamagedStoreError(StoreError):
    """A row of the index or state differs from what was written."""


class DamagedBlockError(StoreError):
    """A stored body is lost, torn or has a flipped bit. Committing the same body again repairs it."""

    def __init__(self, block_hash: bytes, fault: str, where: str = "") -> None:
        """`where`: the location on the disk, ` in FILE ...`."""
        super().__init__(f"block {hash_hex(block_hash)}{where} is damaged: {fault}")
        self.block_hash = block_hash


class Status(IntFlag):
    """The status of a block, stored as one byte."""

    HEADER = 0
    """The header is valid; the body is not known."""
    BODY = 1
    """The body that the header commits to is stored."""
    VERIFIED = 2
    """The block is valid at levels 1 and 2, signatures included."""
    CONNECTED = 4
    """The block was valid at level 3: it has been part of the active chain."""
    INVALID = 8
    """The block itself is invalid, by a rule or by `invalidateblock`. Its descendants are invalid too, without this
    flag.
    """


class IndexRecord(NamedTuple):
    """One known header, its height and status. Records sort as in the store: by height and hash."""

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
    """Some known headers in columns, concatenated: 80 bytes of header, 32 of hash, 1 of `Status` each.

    The hashes have been computed from the headers and compared with those that they were stored under.
    """

    raw: bytes
    hashes: bytes
    statuses: bytes


class TransactionPlace(NamedTuple):
    """The place of a transaction on the active chain."""

    block_hash: bytes
    position: int


@dataclass(frozen=True, slots=True)
class Batch:
    """All changes of one atomic commit. Bodies reach the disk before the index that names them.

    bodies: block hash -> raw block, new ones only.
    index: headers that are new or whose status changed.
    accounts: key -> account after the batch; `ABSENT` removes the key.
    undo, rewards: block hash -> undo record, and the coinbase to credit at maturity, of connected blocks.
    disconnected: hashes of blocks that leave the end of the active chain. A block that connected and disconnected again
    between two batches may be included.
    connected: block hash -> block, of blocks appended to the active chain, in order. A block that left and returned is
    in both.
    tip: hash of the active tip after the batch, None if it stays.
    tables: name -> new content of the node's small tables (addresses, bans, mempool).
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

    Every read raises StoreError if the disk fails or the store is closed, DamagedStoreError if a row is damaged.
    """

    def tip(self) -> bytes | None:
        """Hash of the active tip, None in an empty store."""
        ...

    def index(self) -> Iterable[IndexSlice]:
        """All known headers, sorted by height and hash, in slices of one or more."""
        ...

    def account(self, key: bytes) -> Account:
        """The account of a key; `ABSENT` if there is none."""
        ...

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        """`account` of each key, in order; cheaper than one by one."""
        ...

    def undo(self, block_hash: bytes) -> bytes | None:
        """The undo record of a block, None if it never connected or was pruned."""
        ...

    def reward(self, block_hash: bytes) -> Reward | None:
        """The coinbase to credit at maturity, of a block that has connected."""
        ...

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        """The place of a transaction on the active chain."""
        ...

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        """Transactions of the active chain that name an account (as sender, recipient or miner), newest first.

        Up to `limit`, older than the transaction `before`; none if that is not on the active chain.
        """
        ...

    def table(self, name: str) -> bytes | None:
        """The content of one of the node's small tables."""
        ...


class BodyStore(Protocol):
    """The stored blocks. Any thread may read them; commits and pruning take effect at once."""

    @property
    def damaged(self) -> Sequence[DamagedBlockError]:
        """Damage found on opening in the newest bodies, the only ones that a crash could have damaged. The runtime
        reports each to the node, as it does when a later read finds damage.
        """
        ...

    def body(self, block_hash: bytes) -> bytes | None:
        """The raw block, None if its body is not stored.

        DamagedBlockError if the stored bytes differ from what was written, at every read until the body is committed
        again. A damaged body is never read as None or as other bytes. StoreError as in `Store`.
        """
        ...

    def has_body(self, block_hash: bytes) -> bool:
        """Whether a body is stored, damaged or not; cheaper than `body`. StoreError as in `Store`."""
        ...


class WritableStore(Store, BodyStore, Protocol):
    """The whole store, for the runtime that drives it.

    `commit`, `tend`, `prune` and `close` exclude each other, whatever threads call them.
    After a failure of `commit` or `tend` nothing more is written until the store is reopened, since only that can tell
    what has reached the disk. The failed batch is then stored as a whole or not at all.
    """

    def commit(self, batch: Batch) -> None:
        """Make the batch durable: once this returns, no crash can lose it. Any thread.

        StoreFullError if there is no room, StoreError if writing fails otherwise, and after a failure the same error
        again. A body that is already stored is written again and read from the new place, which repairs a damaged one.
        If a crash interrupts a batch, it is stored as a whole or not at all at the next opening; its bodies may be on
        the disk without it, and then no index names them.
        """
        ...

    def advance(self) -> None:
        """Let reads see everything committed so far. Called in the thread that reads; StoreError as in `Store`."""
        ...

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """Load accounts into memory, so that reading them soon does not wait for the disk. Any thread; StoreError as in
        `Store`.
        """
        ...

    def tend(self, quiet: bool) -> bool:
        """Do some milliseconds of work that commits deferred; True if there is more. Raises nothing: after a failure
        there is nothing to do, and the next commit raises the error.

        Called in the thread that commits, when no commit is waiting. quiet: none has come for a while, so also do work
        that would be cheaper in larger batches.
        """
        ...

    def prune(self, below: int, keep_bytes: int) -> int:
        """Remove the oldest bodies and their undo records until all bodies fit in `keep_bytes`, but none of a block at
        height `below` or above. Any thread.

        The oldest are those stored first. A store may remove units of several bodies, and keep the unit that it writes
        to. Bodies are removed at once, undo records at the next `advance`; headers, accounts, places of transactions
        and rewards stay. Returns the number of units removed, 0 after a failure. StoreError if the disk fails; commits
        may still succeed after that.
        """
        ...

    def release_memory(self) -> None:
        """Free memory that holds what was read; it is read again when needed. StoreError as in `Store`.

        Called in the thread that reads and between commits, as reads may show the newest commit afterwards.
        """
        ...

    def close(self) -> None:
        """Wait for what is under way, and close; all commits are there at the next opening. Raises nothing.

        Afterwards `commit` and all reads raise StoreError; `tend`, `prune` and another `close` do nothing.
        """
        ...
