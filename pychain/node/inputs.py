"""Inputs: everything that can happen to a node. Frozen data, made by the runtime; `Node.handle` takes one at a time.

Results of jobs carry the job's id. They may come in any order, and after their subject is gone.
"""

from __future__ import annotations

from msgspec import Struct

from pychain.chain.block import Block
from pychain.consensus.rules import RuleError
from pychain.node.requests import Request
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress


class Start(Struct, frozen=True):
    """The runtime is ready: the first input of every node."""


class Tick(Struct, frozen=True):
    """The deadline that the node asked for has come."""


class Stop(Struct, frozen=True):
    """Stop cleanly: say goodbye to peers, commit the tables, then emit `Stopped`."""


class PeerOpened(Struct, frozen=True):
    """A connection is open. `peer` is an id that the runtime never reuses; `endpoint` is the remote end (for an
    outbound connection, the endpoint as dialled).
    """

    peer: int
    endpoint: Endpoint
    inbound: bool


class DialFailed(Struct, frozen=True):
    """A `Dial` failed."""

    endpoint: Endpoint
    reason: str


class NameResolved(Struct, frozen=True):
    """Result of `Resolve`: the addresses of the name, none where it could not be resolved."""

    name: str
    addresses: tuple[NetAddress, ...]


class BytesReceived(Struct, frozen=True):
    """Bytes of the stream, cut anywhere."""

    peer: int
    data: bytes


class BytesDrained(Struct, frozen=True):
    """`count` bytes of earlier `Send`s have left our memory."""

    peer: int
    count: int


class PeerClosed(Struct, frozen=True):
    """The connection is gone, whoever ended it."""

    peer: int
    reason: str


class BlocksVerified(Struct, frozen=True):
    """Result of `VerifyBlocks`: for each, in order, the decoded block or the rule of level 1 or 2 that it breaks."""

    job: int
    results: tuple[Block | RuleError, ...]


class TransfersVerified(Struct, frozen=True):
    """Result of `VerifyTransfers`: whether each signature is valid, in order."""

    job: int
    valid: tuple[bool, ...]


class BlocksRead(Struct, frozen=True):
    """Result of `ReadBlocks`: for each, in order, the raw or decoded block, as requested; None where it is missing on
    disk or damaged."""

    job: int
    blocks: tuple[Block | bytes | None, ...]


class BodyDamaged(Struct, frozen=True):
    """A reader found that a stored body is damaged on the disk."""

    block_hash: bytes


class CommitDone(Struct, frozen=True):
    """The batch is durable and the store that the node reads has advanced to it."""

    job: int


class CommitFailed(Struct, frozen=True):
    """The batch was not written (the disk is full, say). The node stops; its durable tip is intact."""

    job: int
    reason: str


class BlockMined(Struct, frozen=True):
    """A miner solved a template: the complete raw block."""

    raw: bytes


class Asked(Struct, frozen=True):
    """A request from the API; exactly one `Reply` with the same id answers it."""

    request_id: int
    request: Request


class AskedTogether(Struct, frozen=True):
    """Requests that came at the same time: the node handles all of them in one turn."""

    asked: tuple[Asked, ...]


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
    | BodyDamaged
    | CommitDone
    | CommitFailed
    | BlockMined
    | Asked
    | AskedTogether
)
