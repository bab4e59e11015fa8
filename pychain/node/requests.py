"""Requests from the API that change a node or need its core, and their answers.

Plain reads are no requests: `Node.queries` serves them at once, from the durable state.
"""

from __future__ import annotations

from msgspec import Struct

from pychain.ledger.template import BlockTemplate
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress

INCONCLUSIVE = "inconclusive"
"""Answer for a block that is valid so far, but not on the best chain (BIP 22)."""


class SubmitBlock(Struct, frozen=True):
    """Submit a raw block as if mined here. Answer: None once it is the durable tip, or a string as in BIP 22: a rule's
    code, "duplicate", "duplicate-invalid", "inconclusive" (valid so far, but not on the best chain)."""

    raw: bytes


class LoadBlocks(Struct, frozen=True):
    """Submit raw blocks of a chain, at least one, each the parent of the next. Answer: None once the last one is on the
    durable chain; otherwise a rule's code, or "inconclusive" where it is not on the best chain."""

    raws: tuple[bytes, ...]


class AwaitRest(Struct, frozen=True):
    """Wait until no block is being processed and everything is durable. Answer: None."""


class SubmitTransfer(Struct, frozen=True):
    """Submit a raw transfer to the mempool and announce it. Answer: its txid, or `Refused`."""

    raw: bytes


class TestTransfer(Struct, frozen=True):
    """Check whether `SubmitTransfer` would accept a transfer; nothing changes. Answer: its txid, or `Refused`."""

    __test__ = False  # not a test class, whatever its name begins with

    raw: bytes


class GetTemplate(Struct, frozen=True):
    """Get a template on the current tip. Answer: a `BlockTemplate`."""


class SetMining(Struct, frozen=True):
    """Mine to this public key, or stop mining for None. Answer: None."""

    recipient: bytes | None


class InvalidateBlock(Struct, frozen=True):
    """Mark a block and its descendants invalid, as Bitcoin Core's invalidateblock. Answer: None once the resulting tip
    is durable, or `Refused`."""

    block_hash: bytes


class ReconsiderBlock(Struct, frozen=True):
    """Revoke `InvalidateBlock` for a block, its ancestors and descendants. Answers as there."""

    block_hash: bytes


class AddPeer(Struct, frozen=True):
    """Add a manual peer: keep a connection to an endpoint from now on. Answer: None, or `Refused` where its address was
    added already."""

    endpoint: Endpoint


class RemovePeer(Struct, frozen=True):
    """Remove a manual peer (an open connection stays). Answer: None, or `Refused`."""

    address: NetAddress


class TryPeer(Struct, frozen=True):
    """Dial an endpoint once. Answer: None."""

    endpoint: Endpoint


class DisconnectPeer(Struct, frozen=True):
    """Close one connection. Answer: None, or `Refused` where there is no such peer."""

    peer: int


class Ban(Struct, frozen=True):
    """Ban a host or network for `duration_s` seconds; 0 lifts the ban. Answer: None, or `Refused`."""

    host: str
    duration_s: int


class SetNetworking(Struct, frozen=True):
    """Switch networking on, or off: then all peers are disconnected. Answer: None."""

    active: bool


class DropTransfers(Struct, frozen=True):
    """Drop pending transfers, of up to `accounts` accounts at a time, and all transfers on the way into the mempool
    except those whose signatures are being checked. Answer: None; the mempool's length tells whether to repeat it."""

    accounts: int


Request = (
    SubmitBlock
    | LoadBlocks
    | AwaitRest
    | SubmitTransfer
    | TestTransfer
    | GetTemplate
    | SetMining
    | InvalidateBlock
    | ReconsiderBlock
    | AddPeer
    | RemovePeer
    | TryPeer
    | DisconnectPeer
    | Ban
    | SetNetworking
    | DropTransfers
)


class Refused(Struct, frozen=True):
    """A request that was refused: a code for programs, a text for people."""

    code: str
    text: str


Answer = None | str | bytes | BlockTemplate | Refused
