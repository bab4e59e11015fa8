"""Outcomes: what the stages of a turn have found out, for the stages that come after them.

A stage appends what it found, and those further down the pipeline (`node.turn`) read it in the same turn. Nothing is
kept from one turn to the next, and nothing here is seen outside the node.
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
    """Headers from one peer (None: from here), oldest first, each the parent of the next, and how far they have been
    judged.
    """

    peer: int | None
    headers: Sequence[Header]
    answer: bool = False
    """It came when we had asked this peer for headers."""
    claimed_work: int = 0
    """Chain work that the peer claimed to have."""
    inbound: bool = True
    """The peer connected to us, not we to it."""
    raws: Sequence[bytes] = field(default=(), repr=False)
    """The whole block of each header, where they came along."""

    checked: int = 0
    last: Entry | None = None
    """The last one that is in the tree now."""
    error: RuleError | None = None
    lie: str | None = None
    """How the list contradicts what its peer showed before."""
    is_examined: bool = False
    """The list belongs to a chain that has too little work to be stored at its first sight."""
    resume: tuple[Entry, bytes] | None = None
    """Where the examination goes on: after this hash of the peer's chain, which leaves ours at this entry."""

    @property
    def is_full(self) -> bool:
        """As many as fit in a message: more may follow."""
        return len(self.headers) == MAX_HEADERS

    @property
    def has_failed(self) -> bool:
        return self.error is not None or self.lie is not None


@dataclass(frozen=True, slots=True)
class Verification:
    """A body whose verification is under way. `peer` sent it (None: it is our own); `asked` tells whether we wanted
    it.
    """

    entry: Entry
    peer: int | None
    asked: bool


@dataclass(frozen=True, slots=True)
class BodyVerified:
    """A body was verified: the decoded block, which is stored, or the rule of level 1 or 2 that it breaks."""

    verification: Verification
    result: Block | RuleError


@dataclass(frozen=True, slots=True)
class InvalidBlock:
    """A block breaks a rule of level 2 or 3: it is invalid, whoever sends it."""

    entry: Entry
    error: RuleError


@dataclass(frozen=True, slots=True)
class TipChange:
    """The working tip moved. Blocks in the order in which they were disconnected and connected; a damaged one that was
    disconnected is missing. `touched` are the accounts that may have changed.
    """

    disconnected: tuple[Block, ...]
    connected: tuple[Block, ...]
    touched: tuple[bytes, ...]


@dataclass(slots=True)
class Candidate:
    """A transfer that wants into the mempool: from a peer, from a request, or (both None) from our own disk or out of
    a disconnected block. `place` and `losses` are what `Mempool.still_fits` asks for.
    """

    transfer: Transfer
    peer: int | None
    request: int | None = None
    place: int = 0
    losses: int = -1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A transfer that was not taken; `waits` where it is kept for its predecessors. `transfer` is None where its bytes
    are no transfer.
    """

    error: RuleError | PolicyError
    peer: int | None
    request: int | None
    transfer: Transfer | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """Transfers of a peer have arrived and are about to be looked at."""

    peer: int
    txids: Sequence[bytes]


class Outcomes:
    """One turn's outcomes, each list in the order in which they were found out."""

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
        """Stored bodies that the disk does not give back, and that the chain needs."""
        self.tips: list[TipChange] = []
        self.arrivals: list[Arrival] = []
        self.accepted: list[Candidate] = []
        """Transfers that entered the mempool, or came back to it."""
        self.refused: list[Refusal] = []
        self.mempool_changed = False

    def clear(self) -> None:
        """The turn is over."""
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
