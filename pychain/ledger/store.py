"""What the ledger needs of a disk: synchronous reads, and one atomic batch after another.

The daemon implements it over LMDB and block files, the simulator in memory. Reads show the state as of the last batch
whose `commit done` the node has handled; the world calls `advance` just before it hands that input over, so both
worlds see the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import NamedTuple, Protocol

from pychain.chain.block import Block
from pychain.chain.header import Header
from pychain.consensus.state import Account, Reward


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
    """Synchronous reads of the last state advanced to. A missing thing is None; a damaged disk is an OSError."""

    def tip(self) -> bytes | None:
        """Hash of the active tip, None in a store that was never written."""
        ...

    def index(self) -> Iterable[IndexSlice]:
        """All known headers by height, genesis first, in slices of one or more."""
        ...

    def account(self, key: bytes) -> Account: ...

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        """`account` of each key, in the keys' order; cheaper than one by one."""
        ...

    def undo(self, block_hash: bytes) -> bytes | None: ...

    def reward(self, block_hash: bytes) -> Reward | None: ...

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        """Where a transaction of the active chain is."""
        ...

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        """Transactions of the active chain that name an account (sender, recipient, who a coinbase pays), newest first.

        Up to `limit`, of those older than the transaction `before`; none where that is not on the active chain.
        """
        ...

    def table(self, name: str) -> bytes | None: ...


class WritableStore(Store, Protocol):
    """The worlds' side of a store."""

    def commit(self, batch: Batch) -> None:
        """Make the batch durable; OSError (a full disk) leaves the store as it was. Any thread, one call at a time."""
        ...

    def advance(self) -> None:
        """Let reads see everything committed so far."""
        ...

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """Bring accounts into memory, so that reading them soon does not wait for the disk. Any thread."""
        ...

    def tend(self, quiet: bool) -> bool:
        """Do some milliseconds of work that commits left for later; True where there is more of it.

        For the thread that commits, whenever nothing waits to be committed. quiet: it has been so for a while, so do
        also what could wait for more of its kind.
        """
        ...

    def body(self, block_hash: bytes) -> bytes | None:
        """The raw block, None where its body is not stored. Any thread; sees committed batches at once."""
        ...
