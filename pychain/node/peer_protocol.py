"""The peer protocol: the life of connections, and dispatching each message to the manager that handles it.

The sub-protocols are a list of managers. This module itself does admission: the channel, the hello and the slots decide
whether a connection becomes a peer, and only then the managers are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pychain.base.entropy import Entropy
from pychain.base.errors import ConfigError, DecodeError
from pychain.base.time import Now
from pychain.node.config import NodeConfig
from pychain.node.events import PeerDown, PeerUp
from pychain.node.outbox import Outbox
from pychain.node.peers import Peers
from pychain.p2p.buckets import MessageLimiter
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.handshake import Handshake
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import Fields, Goodbye, GoodbyeCode, Hello, printable
from pychain.p2p.misbehaviour import Misbehaviour, Offence
from pychain.p2p.peer import Peer
from pychain.p2p.slots import SlotManager
from pychain.p2p.states import PeerState


class PeerProtocol:
    """Manages every connection, and dispatches its messages."""

    def __init__(
        self,
        config: NodeConfig,
        entropy: Entropy,
        peers: Peers,
        limiter: MessageLimiter,
        misbehaviour: Misbehaviour,
        handshake: Handshake,
        slots: SlotManager,
        managers: Sequence[Manager],
        outbox: Outbox,
    ) -> None:
        """`managers`: all of them, in the order in which they are told of a peer. Raises `ConfigError` where two handle
        one message."""
        self._config = config
        self._entropy = entropy
        self._peers = peers
        self._limiter = limiter
        self._misbehaviour = misbehaviour
        self._handshake = handshake
        self._slots = slots
        self._managers = managers
        self._outbox = outbox
        self._handlers: dict[type[Fields], Handler] = {
            Hello: self._on_hello,
            Goodbye: lambda peer, message, now: self._peers.goodbye_came(peer),
            **_joined(manager.handlers() for manager in managers),
        }

    # --- connections

    def opened(self, peer_id: int, endpoint: Endpoint, inbound: bool, now: Now) -> None:
        """A stream is open. It gets a channel, and becomes a peer once that is established and hello is accepted."""
        channel = self._config.channel(not inbound, self._entropy)
        peer = self._peers.opened(peer_id, endpoint, inbound, channel, now)
        self._handshake.peer_opened(peer, now)
        self._advance_channel(peer, now)

    def received(self, peer_id: int, data: bytes, now: Now) -> None:
        """Bytes of the stream, cut anywhere."""
        peer = self._peers.get(peer_id)
        if peer is None or not peer.is_open:
            return
        try:
            plaintext = peer.unseal(data)
            if peer.state is PeerState.SECURING:
                self._advance_channel(peer, now)
            for message in peer.receive(plaintext):
                if not self._limiter.allows(peer_id, message, now.mono_ns):
                    name = "messages of unknown types" if message is None else type(message).__name__.lower()
                    self._misbehaviour.offend(peer, Offence.FLOODING, name, now)
                elif message is not None:
                    handler = self._handlers.get(type(message))
                    if handler is not None:
                        handler(peer, message, now)
        except DecodeError as error:
            self._misbehaviour.offend(peer, Offence.PROTOCOL_ERROR, str(error), now)

    def closed(self, peer_id: int, reason: str, now: Now) -> None:
        """The stream is gone, whichever side ended it."""
        peer = self._peers.closed(peer_id)
        if peer is None:
            return
        self._limiter.peer_closed(peer_id)
        for manager in self._managers:
            manager.peer_closed(peer, now)
        self._outbox.publish(PeerDown(peer_id, str(peer.endpoint), peer.farewell or printable(reason)))

    def _advance_channel(self, peer: Peer, now: Now) -> None:
        """Send the pending handshake bytes of the channel; once it is established, send hello."""
        self._peers.send_handshake(peer)
        if not peer.channel.established:
            return
        peer.secured()
        if peer.is_impostor:
            text = f"{peer.identity} answered, {peer.endpoint.peer_id} was expected"
            self._peers.hang_up(peer.peer_id, GoodbyeCode.WRONG_IDENTITY, text)
        elif self._slots.peer_opened(peer, now):
            self._handshake.peer_secured(peer, now)

    def _on_hello(self, peer: Peer, hello: Hello, now: Now) -> None:
        if not self._handshake.on_hello(peer, hello) or not self._slots.admits(peer):
            return
        for manager in self._managers:
            manager.peer_ready(peer, now)
        self._outbox.publish(PeerUp(peer.peer_id, str(peer.endpoint), peer.inbound, printable(hello.agent)))


def _joined(tables: Iterable[Mapping[type[Fields], Handler]]) -> dict[type[Fields], Handler]:
    """Join several tables; each message must have one handler."""
    joined: dict[type[Fields], Handler] = {}
    for table in tables:
        for message, handler in table.items():
            if message in joined:
                raise ConfigError(f"{message.__name__} has two handlers, and a message has one")
            joined[message] = handler
    return joined
