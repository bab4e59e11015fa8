"""Inputs: everything that can happen to a node. Frozen data; a world makes them, `Node.handle` takes one at a time.

Results of jobs carry the job's id and may come in any order, and after their subject is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pychain.chain.block import Block
from pychain.consensus.rules import RuleError
from pychain.node.requests import Request
from pychain.p2p.netaddress import NetAddress


@dataclass(frozen=True, slots=True)
class Start:
    """The world is ready: first input of every node."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline that the node asked for has come."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End in order: peers are told, tables are committed, then the `Stopped` effect comes."""


@dataclass(frozen=True, slots=True)
class PeerOpened:
    """A connection stands. `peer` is an id that the world never uses twice; `address` is the remote end (for one that
    we dialled, the address as it was dialled).
    """

    peer: int
    address: NetAddress
    inbound: bool


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A `Dial` came to nothing."""

    address: NetAddress
    reason: str


@dataclass(frozen=True, slots=True)
class NameResolved:
    """The addresses behind a name asked for by `Resolve`; none if there are none."""

    name: str
    addresses: tuple[NetAddress, ...]


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Bytes of the stream, cut anywhere."""

    peer: int
    data: bytes


@dataclass(frozen=True, slots=True)
class BytesDrained:
    """So many bytes of earlier `Send`s have left our memory."""

    peer: int
    count: int


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The connection is gone, whoever ended it."""

    peer: int
    reason: str


@dataclass(frozen=True, slots=True)
class BlocksVerified:
    """Result of `VerifyBlocks`: for each, in order, the decoded block or the rule of level 1 or 2 that it breaks."""

    job: int
    results: tuple[Block | RuleError, ...]


@dataclass(frozen=True, slots=True)
class TransfersVerified:
    """Result of `VerifyTransfers`: one verdict for each, in order."""

    job: int
    valid: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class BlocksRead:
    """Result of `ReadBlocks`: for each, in order, the raw block, or the decoded one where that was asked for; None if
    it is not on disk or damaged there."""

    job: int
    blocks: tuple[Block | bytes | None, ...]


@dataclass(frozen=True, slots=True)
class CommitDone:
    """The batch is durable and the store that the node reads has advanced to it."""

    job: int


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """The batch was not written (a full disk). The node stops; its durable tip is intact."""

    job: int
    reason: str


@dataclass(frozen=True, slots=True)
class BlockMined:
    """A miner solved a template: the whole raw block."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request from the API; a `Reply` with the same id answers it, once."""

    request_id: int
    request: Request


Input = (
    Start
    | Tick
    | Stop
    | PeerOpened
    | DialFailed
    | NameResolved
    | BytesReceived
    | BytesDrained
    | PeerClosed
    | BlocksVerified
    | TransfersVerified
    | BlocksRead
    | CommitDone
    | CommitFailed
    | BlockMined
    | Asked
)
