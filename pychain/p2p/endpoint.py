"""Endpoints: where a node is reached, and which node should answer there.

An endpoint is an address and, optionally, the peer id of the node expected there. It is written as a multiaddr,
`/ip4/192.0.2.1/tcp/30700/p2p/12D3KooW...`, or as `host:port`
(https://github.com/multiformats/multiaddr, https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NewType

from pychain.p2p.netaddress import PEER_ID, AddressError, NetAddress

PeerId = NewType("PeerId", str)
"""The id of a node's public key, as libp2p writes it: base58, `12D3KooW...` for Ed25519."""

_P2P: Final = "/p2p/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and the peer id that must answer there (None: any)."""

    address: NetAddress
    peer_id: PeerId | None = None

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> Endpoint:
        """Read what `NetAddress.parse` reads, with an optional `/p2p/ID` after a multiaddr. Raises `AddressError`."""
        address, found, peer_id = text.partition(_P2P)
        if not found:
            return cls(NetAddress.parse(text, default_port))
        if not text.startswith("/"):
            raise AddressError(f"{text[:80]!r} is not an address: only a multiaddr can name a peer id")
        return cls(NetAddress.parse(address, default_port), parse_peer_id(peer_id))

    @property
    def host_port(self) -> str:
        """`host:port`, without the peer id."""
        return self.address.host_port

    def __str__(self) -> str:
        return str(self.address) if self.peer_id is None else f"{self.address}{_P2P}{self.peer_id}"


def parse_peer_id(text: str) -> PeerId:
    """Parse a peer id in base58. Raises `AddressError`. Whether it names a key is checked by the channel."""
    if not PEER_ID.fullmatch(text):
        raise AddressError(f"{text[:80]!r} is not a peer id")
    return PeerId(text)
