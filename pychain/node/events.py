"""Events: what a node tells its listeners. Frozen data; hashes are raw bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pychain.chain.header import Header
from pychain.chain.transaction import Transfer


@dataclass(frozen=True, slots=True)
class NewTip:
    """The durable tip changed. `disconnected` (old tip first) is empty but for a reorganisation; `connected` is
    lowest first.
    """

    header: Header
    height: int
    disconnected: tuple[bytes, ...]
    connected: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlockRefused:
    """A block or header was judged invalid."""

    block_hash: bytes
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class TransferAccepted:
    """A transfer entered the mempool."""

    transfer: Transfer


@dataclass(frozen=True, slots=True)
class TransferDropped:
    """A transfer left the mempool without being mined; the reason is one of the mempool's codes."""

    transfer: Transfer
    reason: str


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A peer's handshake is complete."""

    peer: int
    address: str
    inbound: bool
    agent: str


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A connection ended."""

    peer: int
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the operator."""

    level: Literal["info", "warning", "error"]
    text: str


Event = NewTip | BlockRefused | TransferAccepted | TransferDropped | PeerUp | PeerDown | Notice
