"""A wire that records the actions of managers, and peers and clocks to call them with."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

from pychain.base.time import NS, Now
from pychain.p2p.channel import Channel
from pychain.p2p.endpoint import Endpoint, PeerId
from pychain.p2p.messages import STANDARD, Codec, Fields, GoodbyeCode, Hello
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer

GENESIS = sha256(b"genesis of the tests").digest()
FRAME_LIMIT = 1024 * 1024
START_S = 1_800_000_000

M = TypeVar("M", bound=Fields)


def at(seconds: float) -> Now:
    """The time this many seconds after the start of a test."""
    return Now(int(seconds * NS), START_S + int(seconds))


def digest(number: int) -> bytes:
    """The hash of an object."""
    return sha256(number.to_bytes(8, "big")).digest()


class CountedEntropy:
    """Deterministic entropy: hashes of a counter."""

    def __init__(self, label: str = "") -> None:
        self._label = label.encode()
        self._count = 0

    def bytes(self, count: int) -> bytes:
        drawn = b""
        while len(drawn) < count:
            self._count += 1
            drawn += sha256(self._label + self._count.to_bytes(8, "big")).digest()
        return drawn[:count]


class RecordingWire:
    """Records everything, and closes the peers it knows as the node would."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Fields]] = []
        self.hung_up: list[tuple[int, GoodbyeCode, str]] = []
        self.dialled: list[Endpoint] = []
        self.peers: dict[int, Peer] = {}

    def send(self, peer_id: int, message: Fields) -> None:
        self.sent.append((peer_id, message))

    def hang_up(self, peer_id: int, code: GoodbyeCode, text: str) -> None:
        peer = self.peers.get(peer_id)
        if peer is not None:
            if not peer.is_open:
                return
            peer.hang_up(code, text)
        self.hung_up.append((peer_id, code, text))

    def dial(self, endpoint: Endpoint) -> None:
        self.dialled.append(endpoint)

    def sent_to(self, peer_id: int, kind: type[M]) -> list[M]:
        """The messages of one class that a peer was sent."""
        return [message for receiver, message in self.sent if receiver == peer_id and isinstance(message, kind)]

    def ended(self) -> list[tuple[int, GoodbyeCode]]:
        """The disconnected peers, and why."""
        return [(peer_id, code) for peer_id, code, _ in self.hung_up]

    def take_sent(self) -> Sequence[tuple[int, Fields]]:
        """The messages sent since the last call."""
        taken, self.sent = self.sent, []
        return taken

    def take_dialled(self) -> list[Endpoint]:
        taken, self.dialled = self.dialled, []
        return taken


def make_hello(nonce: int = 1, listen_port: int = 30700, genesis: bytes = GENESIS, protocol: int = 1) -> Hello:
    return Hello(
        protocol=protocol,
        agent="test",
        genesis=genesis,
        time=START_S,
        tip_height=0,
        tip_work=bytes(32),
        listen_port=listen_port,
        services=0,
        nonce=nonce,
    )


def make_peer(
    peer_id: int,
    host: str = "127.0.0.1",
    port: int = 30700,
    *,
    inbound: bool = False,
    manual: bool = False,
    now: Now | None = None,
    secured: bool = True,
    hello: Hello | None = None,
    wire: RecordingWire | None = None,
    expected: PeerId | None = None,
    channel: Channel | None = None,
    codec: Codec = STANDARD,
) -> Peer:
    """A connection; ready when a hello is given, ended by the wire's hang-ups when the wire is given. `expected`: the
    peer id that was dialled."""
    peer = Peer(
        peer_id,
        Endpoint(NetAddress(host, port), expected),
        at(0) if now is None else now,
        inbound=inbound,
        frame_limit=FRAME_LIMIT,
        manual=manual,
        channel=channel,
        codec=codec,
    )
    if secured:
        peer.secured()
    if hello is not None:
        peer.accept_hello(hello)
    if wire is not None:
        wire.peers[peer_id] = peer
    return peer
