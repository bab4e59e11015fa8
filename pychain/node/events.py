"""Events, which a node publishes to its listeners. Frozen data; hashes are raw bytes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pychain.chain.header import Header
from pychain.chain.transaction import Transfer


class NewTip(Struct, frozen=True):
    """The durable tip changed. `disconnected` (old tip first) is empty except in a reorganisation; `connected` is
    lowest first.
    """

    header: Header
    height: int
    disconnected: tuple[bytes, ...]
    connected: tuple[bytes, ...]


class BlockRefused(Struct, frozen=True):
    """A block or header is invalid."""

    block_hash: bytes
    code: str
    detail: str


class TransferAccepted(Struct, frozen=True):
    """A transfer entered the mempool."""

    transfer: Transfer


class TransferDropped(Struct, frozen=True):
    """A transfer left the mempool without being mined; the reason is one of the mempool's codes."""

    transfer: Transfer
    reason: str


class PeerUp(Struct, frozen=True):
    """A peer's handshake is complete."""

    peer: int
    address: str
    inbound: bool
    agent: str


class PeerDown(Struct, frozen=True):
    """A connection ended."""

    peer: int
    address: str
    reason: str


class Notice(Struct, frozen=True):
    """One line for the operator."""

    level: Literal["info", "warning", "error"]
    text: str


Event = NewTip | BlockRefused | TransferAccepted | TransferDropped | PeerUp | PeerDown | Notice
