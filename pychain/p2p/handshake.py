"""The handshake: each side sends hello once, unprompted. A peer on another chain, with an old protocol, or that is this
node itself is refused."""

from __future__ import annotations

from dataclasses import dataclass

from pychain.base.entropy import Entropy
from pychain.base.time import NS, Now
from pychain.p2p.limits import CHANNEL_TIMEOUT_NS, HELLO_TIMEOUT_NS, MIN_PROTOCOL_VERSION, PROTOCOL_VERSION
from pychain.p2p.manager import Manager
from pychain.p2p.messages import GoodbyeCode, Hello
from pychain.p2p.peer import Peer
from pychain.p2p.states import PeerState
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire

_WORK_BYTES = 32


@dataclass(slots=True)
class OurSide:
    """The contents of our hello; the node keeps the tip and the port up to date."""

    genesis: bytes
    agent: str
    listen_port: int = 0
    services: int = 0
    tip_height: int = 0
    tip_work: int = 0


class Handshake(Manager):
    """Sends our hello on each new channel and checks the peer's.

    The nonce is drawn once when the node starts. A peer that shows ours is this node itself, and two connections with
    the same nonce may lead to the same node (`slots` decides).
    """

    def __init__(self, wire: Wire, entropy: Entropy, ours: OurSide) -> None:
        self._wire = wire
        self.ours = ours
        self.nonce = int.from_bytes(entropy.bytes(8), "big")
        self._timers: Timers[int] = Timers()
        self._peers: dict[int, Peer] = {}
        """Peers whose hello has not come yet."""

    def peer_opened(self, peer: Peer, now: Now) -> None:
        """A stream is open: start the timeout of the channel."""
        self._peers[peer.peer_id] = peer
        self._start_timer(peer, now.mono_ns + CHANNEL_TIMEOUT_NS)

    def peer_secured(self, peer: Peer, now: Now) -> None:
        """The channel is established: send hello, and start the timeout of the peer's hello."""
        self._start_timer(peer, now.mono_ns + HELLO_TIMEOUT_NS)
        self._wire.send(peer.peer_id, self._hello(now))

    def on_hello(self, peer: Peer, hello: Hello) -> bool:
        """Accept the peer, which is then ready, or disconnect it with the reason; True when accepted."""
        self._forget(peer)
        refusal = self._refusal(hello)
        if refusal is not None:
            self._wire.hang_up(peer.peer_id, *refusal)
            return False
        peer.accept_hello(hello)
        return True

    def peer_closed(self, peer: Peer, now: Now) -> None:
        self._forget(peer)

    def poll(self, now: Now) -> None:
        """Disconnect peers whose channel or hello timed out."""
        for peer_id in self._timers.due(now.mono_ns):
            peer = self._peers.pop(peer_id)
            if peer.state is PeerState.SECURING:
                text = f"no secure channel within {CHANNEL_TIMEOUT_NS // NS} s"
            else:
                text = f"no hello within {HELLO_TIMEOUT_NS // NS} s"
            self._wire.hang_up(peer_id, GoodbyeCode.TIMEOUT, text)

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _start_timer(self, peer: Peer, at_ns: int) -> None:
        self._timers.set(peer.peer_id, at_ns)
        self.wake(at_ns)

    def _forget(self, peer: Peer) -> None:
        self._peers.pop(peer.peer_id, None)
        self._timers.cancel(peer.peer_id)

    def _hello(self, now: Now) -> Hello:
        return Hello(
            protocol=PROTOCOL_VERSION,
            agent=self.ours.agent,
            genesis=self.ours.genesis,
            time=now.wall_s,
            tip_height=self.ours.tip_height,
            tip_work=self.ours.tip_work.to_bytes(_WORK_BYTES, "big"),
            listen_port=self.ours.listen_port,
            services=self.ours.services,
            nonce=self.nonce,
        )

    def _refusal(self, hello: Hello) -> tuple[GoodbyeCode, str] | None:
        if hello.genesis != self.ours.genesis:
            ours, theirs = self.ours.genesis[::-1].hex(), hello.genesis[::-1].hex()
            text = f"different networks: the genesis here is {ours}, yours is {theirs}"
            return GoodbyeCode.WRONG_NETWORK, text
        if hello.protocol < MIN_PROTOCOL_VERSION:
            text = f"protocol version {hello.protocol} is too old, {MIN_PROTOCOL_VERSION} or newer is needed"
            return GoodbyeCode.OLD_PROTOCOL, text
        if hello.nonce == self.nonce:
            return GoodbyeCode.SELF_CONNECTION, "this is a connection of a node to itself"
        return None
