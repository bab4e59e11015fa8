"""Requests from the API that change a node or need its core, and their answers.

Plain reads do not pass through here: `Node.queries` serves them at once, from the durable state.
"""

from __future__ import annotations

from msgspec import Struct

from pychain.ledger.template import BlockTemplate
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress

INCONCLUSIVE = "inconclusive"
"""Of a block that is valid so far, but not on the best chain (BIP 22)."""


class SubmitBlock(Struct, frozen=True):
    """Take a raw block as if mined here. Answer: None once it is the durable tip, or a string as BIP 22 has it:
    a rule's code, "duplicate", "duplicate-invalid", "inconclusive" (valid so far, but not on the best chain)."""

    raw: bytes


class LoadBlocks(Struct, frozen=True):
    """Take raw blocks of a chain, at least one, each the parent of the next. Answer: None once the last one is on the
    durable chain; a rule's code where it does not come to that, "inconclusive" where it is not on the best chain."""

    raws: tuple[bytes, ...]


class AwaitRest(Struct, frozen=True):
    """Answer: None once no block is on its way into the chain and all that was decided is durable."""


class SubmitTransfer(Struct, frozen=True):
    """Take a raw transfer into the mempool and announce it. Answer: its txid, or `Refused`."""

    raw: bytes


class TestTransfer(Struct, frozen=True):
    """Would `SubmitTransfer` take it? Answer: its txid, or `Refused`; nothing changes."""

    __test__ = False  # not a test class, whatever its name begins with

    raw: bytes


class GetTemplate(Struct, frozen=True):
    """Answer: a `BlockTemplate` on the current tip."""


class SetMining(Struct, frozen=True):
    """Mine to this public key, or not at all for None. Answer: None."""

    recipient: bytes | None


class InvalidateBlock(Struct, frozen=True):
    """Treat a block and its descendants as invalid, as Bitcoin Core's invalidateblock. Answer: None when the tip that
    follows is durable, or `Refused`."""

    block_hash: bytes


class ReconsiderBlock(Struct, frozen=True):
    """Take `InvalidateBlock` back for a block, its ancestors and descendants. Answer as there."""

    block_hash: bytes


class AddPeer(Struct, frozen=True):
    """Keep a connection to an endpoint up for good. Answer: None, or `Refused` where one to its address is already
    kept."""

    endpoint: Endpoint


class RemovePeer(Struct, frozen=True):
    """Keep it up no longer (an open connection stays). Answer: None, or `Refused`."""

    address: NetAddress


class TryPeer(Struct, frozen=True):
    """Dial an endpoint once. Answer: None."""

    endpoint: Endpoint


class DisconnectPeer(Struct, frozen=True):
    """Close one connection. Answer: None, or `Refused` where there is no such peer."""

    peer: int


class Ban(Struct, frozen=True):
    """Refuse connections with a host for so many seconds; 0 ends it. Answer: None."""

    host: str
    duration_s: int


class SetNetworking(Struct, frozen=True):
    """Have connections with peers, or none at all: those that stand are ended. Answer: None."""

    active: bool


class DropTransfers(Struct, frozen=True):
    """Let go of pending transfers, up to so many accounts' at a time, and of all that was on its way into the mempool
    but for signatures under check. Answer: None; the mempool's length says whether to go on."""

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
    """A request that was not carried out: the code for programs, the text for people."""

    code: str
    text: str


Answer = None | str | bytes | BlockTemplate | Refused
