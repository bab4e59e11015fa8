"""Effects: all that a node can ask of its world. Frozen data, in the order in which they are to be carried out."""

from __future__ import annotations

from msgspec import Struct

from pychain.chain.transaction import Transfer
from pychain.ledger.store import Batch
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event
from pychain.node.requests import Answer
from pychain.p2p.endpoint import Endpoint


class Send(Struct, frozen=True):
    """Put bytes on a peer's stream, after those of earlier `Send`s; report them by `BytesDrained` as they leave."""

    peer: int
    data: bytes


class Dial(Struct, frozen=True):
    """Open a connection; `PeerOpened` or `DialFailed` follows."""

    endpoint: Endpoint


class Resolve(Struct, frozen=True):
    """Look a host name up; `NameResolved` follows. `port` is for the addresses found."""

    name: str
    port: int


class HangUp(Struct, frozen=True):
    """Close a connection once what was sent has left (or a short time has passed); `PeerClosed` follows."""

    peer: int
    reason: str


class Commit(Struct, frozen=True):
    """Make a batch durable, in the order of the commits; `CommitDone` or `CommitFailed` follows. One is under way at
    a time.
    """

    job: int
    batch: Batch


class VerifyBlocks(Struct, frozen=True):
    """Run `semantic.verify_blocks` on raw blocks, beside the loop; `BlocksVerified` follows. Whoever carries it out may
    skip the signatures that an earlier `VerifyTransfers` found to hold.
    """

    job: int
    raws: tuple[bytes, ...]


class VerifyTransfers(Struct, frozen=True):
    """Check signatures under the strict policy (`native.verify_strict`), beside the loop; `TransfersVerified`
    follows.
    """

    job: int
    transfers: tuple[Transfer, ...]


class ReadBlocks(Struct, frozen=True):
    """Read the bodies of blocks from disk, decoded or raw; `BlocksRead` follows."""

    job: int
    hashes: tuple[bytes, ...]
    decoded: bool


class StartMining(Struct, frozen=True):
    """Search on this template, instead of any before it; `BlockMined` follows, at some time or never."""

    template: BlockTemplate
    recipient: bytes


class StopMining(Struct, frozen=True):
    """Search no more."""


class Reply(Struct, frozen=True):
    """The answer to `Asked` with this id."""

    request_id: int
    answer: Answer


class Publish(Struct, frozen=True):
    """Something that listeners (log, API streams, tests) want to know."""

    event: Event


class Stopped(Struct, frozen=True):
    """The node has ended and asks for nothing more. `fault` is one line where it ended because something failed."""

    fault: str | None = None


Effect = (
    Send
    | Dial
    | Resolve
    | HangUp
    | Commit
    | VerifyBlocks
    | VerifyTransfers
    | ReadBlocks
    | StartMining
    | StopMining
    | Reply
    | Publish
    | Stopped
)
