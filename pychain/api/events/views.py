"""Events as listeners see them: the `data` of each kind, typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pychain.api.types import Address, Amount, Bits, Bytes, Count, Difficulty, FeeRate, HashHex, Height, UnixTime
from pychain.api.views.targets import bits_hex, difficulty
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.transaction import Transfer
from pychain.ledger.pending import fee_rate
from pychain.node.events import Event, NewTip, PeerDown, PeerUp, TransferAccepted, TransferDropped
from pychain.node.queries import Queries

Kind = Literal["tip", "reorg", "tx", "peer"]
KINDS: tuple[Kind, ...] = ("tip", "reorg", "tx", "peer")
MAX_BRANCH_BLOCKS = 1_000
"""Blocks listed of each branch in a reorganisation: those next to the fork."""


class BlockRef(Struct):
    """A block's hash and height."""

    hash: HashHex
    height: Height


class TipEvent(Struct, kw_only=True):
    """`tip`: the durable tip changed. `connected` blocks joined the active chain since the previous event."""

    hash: HashHex
    height: Height
    previousblockhash: HashHex
    time: UnixTime
    bits: Bits
    difficulty: Difficulty
    connected: Count
    disconnected: Count


class ReorgEvent(Struct, kw_only=True):
    """`reorg`: blocks left the active chain for another branch; a `tip` follows. Both branches from the fork up.

    The new one is empty if the operator invalidated blocks and none replaced them."""

    fork: BlockRef
    depth: Annotated[int, Meta(ge=1, description="blocks that left the active chain")]
    disconnected: Annotated[list[BlockRef], Meta(description="the old branch, lowest first")]
    connected: Annotated[list[BlockRef], Meta(description="the new branch, lowest first")]
    old_tip: BlockRef
    new_tip: BlockRef


class TxEvent(Struct, kw_only=True):
    """`tx`: a transfer entered the mempool, or left it without being mined (`reason` says why)."""

    txid: HashHex
    status: Literal["accepted", "dropped"]
    reason: str | UnsetType = UNSET
    size: Bytes
    fee: Amount
    feerate: FeeRate
    sender: Address
    recipient: Address
    amount: Amount


class PeerEvent(Struct, kw_only=True):
    """`peer`: a handshake is complete, or a connection ended (`reason` says why)."""

    id: int
    addr: str
    status: Literal["up", "down"]
    inbound: bool | UnsetType = UNSET
    subver: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class ResetEvent(Struct, kw_only=True):
    """`reset`: the events since the listener's last one are no longer kept."""

    reason: str


EventView = TipEvent | ReorgEvent | TxEvent | PeerEvent
VIEWS = (TipEvent, ReorgEvent, TxEvent, PeerEvent)


def kinds_of(event: Event) -> tuple[Kind, ...]:
    """The kinds of event that listeners get for an event of the node, in order; none for internal ones."""
    match event:
        case NewTip(disconnected=()):
            return ("tip",)
        case NewTip():
            return ("reorg", "tip")
        case TransferAccepted() | TransferDropped():
            return ("tx",)
        case PeerUp() | PeerDown():
            return ("peer",)
        case _:
            return ()


def view(kind: Kind, event: Event, queries: Queries) -> EventView:
    """The data of an event."""
    match event:
        case NewTip():
            return _reorg(event, queries) if kind == "reorg" else _tip(event)
        case TransferAccepted(transfer):
            return _tx(transfer, queries.spec.hrp, "accepted", UNSET)
        case TransferDropped(transfer, reason):
            return _tx(transfer, queries.spec.hrp, "dropped", reason)
        case PeerUp(peer, address, inbound, agent):
            return PeerEvent(id=peer, addr=address, status="up", inbound=inbound, subver=agent)
        case PeerDown(peer, address, reason):
            return PeerEvent(id=peer, addr=address, status="down", reason=reason)
    raise AssertionError(f"{event} is not shown to listeners")


def _tip(event: NewTip) -> TipEvent:
    header = event.header
    return TipEvent(
        hash=hash_hex(header.hash),
        height=event.height,
        previousblockhash=hash_hex(header.prev_hash),
        time=header.time,
        bits=bits_hex(header.bits),
        difficulty=difficulty(header.bits),
        connected=len(event.connected),
        disconnected=len(event.disconnected),
    )


def _reorg(event: NewTip, queries: Queries) -> ReorgEvent:
    old, new = event.disconnected[::-1], event.connected
    fork_height = event.height - len(new)
    lowest = queries.entry(old[0])
    assert lowest is not None
    return ReorgEvent(
        fork=BlockRef(hash_hex(lowest.header.prev_hash), fork_height),
        depth=len(old),
        disconnected=list(_refs(old[:MAX_BRANCH_BLOCKS], fork_height)),
        connected=list(_refs(new[:MAX_BRANCH_BLOCKS], fork_height)),
        old_tip=BlockRef(hash_hex(old[-1]), fork_height + len(old)),
        new_tip=BlockRef(hash_hex(event.header.hash), event.height),
    )


def _refs(hashes: tuple[bytes, ...], below: int) -> Iterator[BlockRef]:
    for height, block_hash in enumerate(hashes, below + 1):
        yield BlockRef(hash_hex(block_hash), height)


def _tx(transfer: Transfer, hrp: str, status: Literal["accepted", "dropped"], reason: str | UnsetType) -> TxEvent:
    return TxEvent(
        txid=hash_hex(transfer.txid),
        status=status,
        reason=reason,
        size=len(transfer.raw),
        fee=transfer.fee,
        feerate=fee_rate(transfer),
        sender=encode_address(hrp, transfer.sender),
        recipient=encode_address(hrp, transfer.recipient),
        amount=transfer.amount,
    )
