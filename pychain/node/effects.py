"""Effects: all that a node can ask of its runtime. Frozen data, to be carried out in order."""

from __future__ import annotations

from msgspec import Struct

from pychain.chain.transaction import Transfer
from pychain.ledger.store import Batch
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event
from pychain.node.requests import Answer
from pychain.p2p.endpoint import Endpoint


class Send(Struct, frozen=True):
    """Write bytes to a peer's stream, in the order of the `Send`s; report them by `BytesDrained` as they leave."""

    peer: int
    data: bytes


class Dial(Struct, frozen=True):
    """Open a connection; `PeerOpened` or `DialFailed` follows."""

    endpoint: Endpoint


class Resolve(Struct, frozen=True):
    """Resolve a host name; `NameResolved` follows. `port` is for the addresses found."""

    name: str
    port: int


class HangUp(Struct, frozen=True):
    """Close a connection once what was sent has left (or a short time has passed); `PeerClosed` follows."""

    peer: int
    reason: str


class Commit(Struct, frozen=True):
    """Make a batch durable; `CommitDone` or `CommitFailed` follows. One commit is in progress at a time."""

    job: int
    batch: Batch


class VerifyBlocks(Struct, frozen=True):
    """Run `semantic.verify_blocks` on raw blocks, outside the event loop; `BlocksVerified` follows. The runtime may
    skip signatures that an earlier `VerifyTransfers` found valid.
    """

    job: int
    raws: tuple[bytes, ...]


class VerifyTransfers(Struct, frozen=True):
    """Check signatures under the strict policy (`native.verify_strict`), outside the event loop; `TransfersVerified`
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
    """Mine on this template instead of any earlier one; `BlockMined` may follow."""

    template: BlockTemplate
    recipient: bytes


class StopMining(Struct, frozen=True):
    """Stop mining."""


class Reply(Struct, frozen=True):
    """The answer to the `Asked` with this id."""

    request_id: int
    answer: Answer


class Publish(Struct, frozen=True):
    """An event for listeners (log, API streams, tests)."""

    event: Event


class Stopped(Struct, frozen=True):
    """The node has stopped: no effects follow. `fault`: one line where it stopped because of a failure."""

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
