"""The peers of a node, and the wire through which its managers send."""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.time import Now
from pychain.node.effects import Dial, HangUp, Send
from pychain.node.outbox import Outbox
from pychain.p2p import limits
from pychain.p2p.channel import Channel
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.messages import STANDARD, Fields, GoodbyeCode
from pychain.p2p.peer import Peer, Traffic


class Peers:
    """Every open connection. Implements `p2p.wire.Wire`."""

    def __init__(self, outbox: Outbox, max_block_bytes: int) -> None:
        self._outbox = outbox
        self.codec = STANDARD
        """The codec of new connections."""
        self._frame_limit = limits.frame_limit(max_block_bytes)
        self._queue_limit = limits.send_queue_limit(max_block_bytes)
        self._peers: dict[int, Peer] = {}
        self._received = Traffic()
        self._sent = Traffic()
        """Traffic of connections that have ended."""

    def __len__(self) -> int:
        return len(self._peers)

    def get(self, peer_id: int) -> Peer | None:
        return self._peers.get(peer_id)

    def all(self) -> Iterable[Peer]:
        return self._peers.values()

    # --- life

    def opened(self, peer_id: int, endpoint: Endpoint, inbound: bool, channel: Channel, now: Now) -> Peer:
        limit = self._frame_limit
        peer = Peer(peer_id, endpoint, now, inbound=inbound, frame_limit=limit, channel=channel, codec=self.codec)
        self._peers[peer_id] = peer
        return peer

    def send_handshake(self, peer: Peer) -> None:
        """Send the pending handshake bytes of the channel, if any."""
        output = peer.handshake_output()
        if output:
            self._outbox.emit(Send(peer.peer_id, output))

    def goodbye_came(self, peer: Peer) -> None:
        """The peer sent goodbye: nothing more is sent, and the stream is closed."""
        peer.goodbye_came()
        self._outbox.emit(HangUp(peer.peer_id, peer.farewell or "peer said goodbye"))

    def closed(self, peer_id: int) -> Peer | None:
        peer = self._peers.pop(peer_id, None)
        if peer is not None:
            peer.closed()
            self._received.add(peer.received)
            self._sent.add(peer.sent)
        return peer

    def drained(self, peer_id: int, count: int) -> None:
        """Bytes have left for the network."""
        peer = self._peers.get(peer_id)
        if peer is not None:
            peer.drained(count)

    # --- traffic since the start, over all connections

    def received(self) -> Traffic:
        return _sum(self._received, (peer.received for peer in self._peers.values()))

    def sent(self) -> Traffic:
        return _sum(self._sent, (peer.sent for peer in self._peers.values()))

    # --- the wire

    def send(self, peer_id: int, message: Fields) -> None:
        peer = self._peers.get(peer_id)
        if peer is None or not peer.can_be_sent_to:
            return
        self._outbox.emit(Send(peer_id, peer.pack(message)))
        if peer.unsent > self._queue_limit:
            self.hang_up(peer_id, GoodbyeCode.TOO_SLOW, f"{peer.unsent} bytes wait to be read")

    def hang_up(self, peer_id: int, code: GoodbyeCode, text: str) -> None:
        peer = self._peers.get(peer_id)
        if peer is None or not peer.is_open:
            return
        goodbye = peer.hang_up(code, text)
        if goodbye:
            self._outbox.emit(Send(peer_id, goodbye))
        self._outbox.emit(HangUp(peer_id, f"{code.value}: {text}"))

    def dial(self, endpoint: Endpoint) -> None:
        self._outbox.emit(Dial(endpoint))


def _sum(before: Traffic, now: Iterable[Traffic]) -> Traffic:
    total = Traffic()
    total.add(before)
    for traffic in now:
        total.add(traffic)
    return total
