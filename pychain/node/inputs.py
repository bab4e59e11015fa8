"""Inputs: everything that can happen to a node. Frozen data; a world makes them, `Node.handle` takes one at a time.

Results of jobs carry the job's id and may come in any order, and after their subject is gone.
"""

from __future__ import annotations

from msgspec import Struct

from pychain.chain.block import Block
from pychain.consensus.rules import RuleError
from pychain.node.requests import Request
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress


class Start(Struct, frozen=True):
    """The world is ready: first input of every node."""


class Tick(Struct, frozen=True):
    """The deadline that the node asked for has come."""


class Stop(Struct, frozen=True):
    """End in order: peers are told, tables are committed, then the `Stopped` effect comes."""


class PeerOpened(Struct, frozen=True):
    """A connection stands. `peer` is an id that the runtime never uses twice; `endpoint` is the remote end (for one
    that we dialled, the endpoint as it was dialled).
    """

    peer: int
    endpoint: Endpoint
    inbound: bool


class DialFailed(Struct, frozen=True):
    """A `Dial` came to nothing."""

    endpoint: Endpoint
    reason: str


class NameResolved(Struct, frozen=True):
    """The addresses behind a name asked for by `Resolve`; none if there are none."""

    name: str
    addresses: tuple[NetAddress, ...]


class BytesReceived(Struct, frozen=True):
    """Bytes of the stream, cut anywhere."""

    peer: int
    data: bytes


class BytesDrained(Struct, frozen=True):
    """So many bytes of earlier `Send`s have left our memory."""

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
    """Result of `VerifyTransfers`: one verdict for each, in order."""

    job: int
    valid: tuple[bool, ...]


class BlocksRead(Struct, frozen=True):
    """Result of `ReadBlocks`: for each, in order, the raw block, or the decoded one where that was asked for; None if
    it is not on disk or damaged there."""

    job: int
    blocks: tuple[Block | bytes | None, ...]


class BodyDamaged(Struct, frozen=True):
    """The disk does not give a stored body back as it was written: somebody who wanted it found out."""

    block_hash: bytes


class CommitDone(Struct, frozen=True):
    """The batch is durable and the store that the node reads has advanced to it."""

    job: int


class CommitFailed(Struct, frozen=True):
    """The batch was not written (a full disk). The node stops; its durable tip is intact."""

    job: int
    reason: str


class BlockMined(Struct, frozen=True):
    """A miner solved a template: the whole raw block."""

    raw: bytes


class Asked(Struct, frozen=True):
    """A request from the API; a `Reply` with the same id answers it, once."""

    request_id: int
    request: Request


class AskedTogether(Struct, frozen=True):
    """Requests that came at the same moment: the node takes one turn for all of them."""

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
