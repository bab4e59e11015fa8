"""A slot manager with its neighbours, for tests of which peers are dialled and accepted."""

from __future__ import annotations

from pychain.base.entropy import Random
from pychain.p2p.addresses import AddressManager
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.misbehaviour import Misbehaviour
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.slots import SlotManager
from tests.p2p.recording import RecordingWire, at, make_hello, make_peer

OUR_NONCE = 1000


def public(number: int, port: int = 30700) -> NetAddress:
    """An address in a separate network group."""
    return NetAddress(f"{20 + number // 256}.{number % 256}.0.1", port)


def endpoint_of(target: NetAddress | Endpoint) -> Endpoint:
    return target if isinstance(target, Endpoint) else Endpoint(target)


class Node:
    """A slot manager with its neighbours, and the part of the node that dispatches connections."""

    def __init__(
        self,
        *manual: NetAddress | Endpoint,
        connect_only: bool = False,
        max_inbound: int = 117,
        max_outbound: int = 8,
        seed: int = 1,
    ) -> None:
        self.wire = RecordingWire()
        self.addresses = AddressManager(self.wire, Random(seed))
        self.misbehaviour = Misbehaviour(self.wire)
        self.slots = SlotManager(
            self.wire,
            Random(seed),
            self.addresses,
            self.misbehaviour,
            nonce=OUR_NONCE,
            manual=map(endpoint_of, manual),
            connect_only=connect_only,
            max_inbound=max_inbound,
            max_outbound=max_outbound,
        )
        self.count = 0

    def open(self, address: NetAddress, moment: float, *, inbound: bool = False) -> Peer:
        """A stream opens."""
        self.count += 1
        peer = make_peer(self.count, address.host, address.port, inbound=inbound, now=at(moment), wire=self.wire)
        self.slots.peer_opened(peer, at(moment))
        return peer

    def ready(self, peer: Peer, moment: float, nonce: int | None = None, listen_port: int = 30700) -> bool:
        """The handshake completes."""
        peer.accept_hello(make_hello(peer.peer_id if nonce is None else nonce, listen_port))
        if not self.slots.admits(peer):
            return False
        self.addresses.peer_ready(peer, at(moment))
        return True

    def join(self, address: NetAddress, moment: float, *, inbound: bool = False) -> Peer:
        peer = self.open(address, moment, inbound=inbound)
        if peer.is_open:
            self.ready(peer, moment)
        return peer

    def close(self, peer: Peer, moment: float) -> None:
        del self.wire.peers[peer.peer_id]
        self.slots.peer_closed(peer, at(moment))
        self.addresses.peer_closed(peer, at(moment))

    def run(self, start: float, end: float) -> list[tuple[float, NetAddress]]:
        """Serve deadlines; returns the dials with their times."""
        dials = []
        moment = start
        while True:
            self.slots.poll(at(moment))
            dials += [(moment, endpoint.address) for endpoint in self.wire.take_dialled()]
            deadline = self.slots.deadline()
            if deadline is None or deadline / 1e9 > end:
                return dials
            assert deadline / 1e9 > moment, "a deadline that was served must not come again at once"
            moment = deadline / 1e9 + 1e-6
