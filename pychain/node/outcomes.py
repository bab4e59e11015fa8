"""Outcomes: the results of the stages of a turn, for the stages after them.

A stage appends its results, and those further down the pipeline (`node.node`) read them in the same turn. Nothing is
kept from one turn to the next, and nothing here is visible outside the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pychain.chain.block import Block
from pychain.chain.header import Header
from pychain.chain.transaction import Transfer
from pychain.consensus.rules import RuleError
from pychain.ledger.mempool import PolicyError
from pychain.ledger.tree import Entry
from pychain.p2p.limits import MAX_HEADERS


@dataclass(slots=True)
class HeaderList:
    """Headers from one peer (None: from this node), oldest first, each the parent of the next, and how far they have
    been checked.
    """

    peer: int | None
    headers: Sequence[Header]
    answer: bool = False
    """Whether it answers a request for headers."""
    claimed_work: int = 0
    """Chain work that the peer claims to have."""
    inbound: bool = True
    """Whether the peer connected to us."""
    raws: Sequence[bytes] = field(default=(), repr=False)
    """The complete block of each header, where it came along."""

    checked: int = 0
    last: Entry | None = None
    """The last header that is in the tree now."""
    error: RuleError | None = None
    lie: str | None = None
    """How the list contradicts earlier headers of its peer."""
    is_presync: bool = False
    """Whether the list belongs to a presync: to a chain that has not shown enough work to be stored."""
    resume: tuple[Entry, bytes] | None = None
    """Where the presync continues: after this hash of the peer's chain, which leaves ours at this entry."""

    @property
    def is_full(self) -> bool:
        """Whether there are as many as fit in a message: more may follow."""
        return len(self.headers) == MAX_HEADERS

    @property
    def has_failed(self) -> bool:
        return self.error is not None or self.lie is not None


@dataclass(frozen=True, slots=True)
class Verification:
    """A body under verification. `peer` sent it (None: it is our own); `asked`: whether it was requested."""

    entry: Entry
    peer: int | None
    asked: bool


@dataclass(frozen=True, slots=True)
class BodyVerified:
    """The result of a verification: the decoded block, which is stored, or the rule of level 1 or 2 that it breaks."""

    verification: Verification
    result: Block | RuleError


@dataclass(frozen=True, slots=True)
class InvalidBlock:
    """A block breaks a rule of level 2 or 3: its hash is invalid."""

    entry: Entry
    error: RuleError


@dataclass(frozen=True, slots=True)
class TipChange:
    """The working tip moved. Blocks in the order in which they were disconnected and connected; a damaged disconnected
    block is missing. `touched`: the accounts that may have changed.
    """

    disconnected: tuple[Block, ...]
    connected: tuple[Block, ...]
    touched: tuple[bytes, ...]


@dataclass(slots=True)
class Candidate:
    """A transfer offered to the mempool: from a peer, from a request, or (both None) from our own disk or a
    disconnected block. `place` and `losses` are arguments of `Mempool.still_fits`.
    """

    transfer: Transfer
    peer: int | None
    request: int | None = None
    place: int = 0
    losses: int = -1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A transfer that was not accepted; `waits`: it is kept until its predecessors come. `transfer` is None where its
    bytes cannot be decoded.
    """

    error: RuleError | PolicyError
    peer: int | None
    request: int | None
    transfer: Transfer | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """Transfers of a peer that have arrived and are about to be processed."""

    peer: int
    txids: Sequence[bytes]


class Outcomes:
    """The outcomes of one turn, each list in the order in which they occurred."""

    __slots__ = (
        "accepted",
        "arrivals",
        "bodies",
        "headers",
        "invalid",
        "lost_bodies",
        "mempool_changed",
        "refused",
        "tips",
    )

    def __init__(self) -> None:
        self.headers: list[HeaderList] = []
        self.bodies: list[BodyVerified] = []
        self.invalid: list[InvalidBlock] = []
        self.lost_bodies: list[Entry] = []
        """Stored bodies that the chain needs and the disk could not read."""
        self.tips: list[TipChange] = []
        self.arrivals: list[Arrival] = []
        self.accepted: list[Candidate] = []
        """Transfers that entered the mempool, or came back to it."""
        self.refused: list[Refusal] = []
        self.mempool_changed = False

    def clear(self) -> None:
        """Start a new turn."""
        self.headers.clear()
        self.bodies.clear()
        self.invalid.clear()
        self.lost_bodies.clear()
        self.tips.clear()
        self.arrivals.clear()
        self.accepted.clear()
        self.refused.clear()
        self.mempool_changed = False

    def __bool__(self) -> bool:
        return bool(
            self.headers
            or self.bodies
            or self.invalid
            or self.lost_bodies
            or self.tips
            or self.arrivals
            or self.accepted
            or self.refused
            or self.mempool_changed
        )
