"""One connection: its state, its stream of messages, and what we count about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pychain.base.time import Now
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.limits import FRAME_LIMIT_BEFORE_HELLO, MAX_GOODBYE_TEXT
from pychain.p2p.messages import (
    Goodbye,
    GoodbyeCode,
    Hello,
    Message,
    MessageError,
    MessageType,
    decode,
    encode,
    printable,
    type_of,
)
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.states import MAY_COME, PeerEvent, PeerState, next_state


@dataclass(slots=True)
class Traffic:
    """Bytes and messages of one direction. Bytes include the frame heads."""

    bytes: int = 0
    messages: dict[MessageType, int] = field(default_factory=dict)

    def count(self, kind: MessageType) -> None:
        self.messages[kind] = self.messages.get(kind, 0) + 1

    def add(self, other: Traffic) -> None:
        """Take another's counts in."""
        self.bytes += other.bytes
        for kind, count in other.messages.items():
            self.messages[kind] = self.messages.get(kind, 0) + count


@dataclass(slots=True)
class RoundTrip:
    """Measured ping times in nanoseconds, None before the first pong."""

    last_ns: int | None = None
    least_ns: int | None = None
    smoothed_ns: int | None = None

    def measured(self, rtt_ns: int) -> None:
        """Take in one measurement; smoothing by one eighth, as TCP does (RFC 6298)."""
        self.last_ns = rtt_ns
        self.least_ns = rtt_ns if self.least_ns is None else min(self.least_ns, rtt_ns)
        self.smoothed_ns = rtt_ns if self.smoothed_ns is None else (7 * self.smoothed_ns + rtt_ns) // 8


class Peer:
    """A connection as the node knows it, from the open stream until it is gone.

    `peer_id` is given by the world and never used twice. `address` is the remote end; for an outbound peer it is
    what we dialled. `persistent`: the operator asked for this connection.
    """

    __slots__ = (
        "_frame_limit",
        "_reader",
        "address",
        "goodbye_received",
        "goodbye_sent",
        "hello",
        "inbound",
        "last_block_ns",
        "last_transaction_ns",
        "listen_address",
        "opened_at",
        "peer_id",
        "persistent",
        "received",
        "round_trip",
        "sent",
        "state",
        "unknown_messages",
        "unsent",
    )

    def __init__(
        self, peer_id: int, address: NetAddress, now: Now, *, inbound: bool, frame_limit: int, persistent: bool = False
    ) -> None:
        """`frame_limit`: the largest payload after hello (`limits.frame_limit`)."""
        self.peer_id = peer_id
        self.address = address
        self.inbound = inbound
        self.persistent = persistent
        self.state = PeerState.AWAITING_HELLO
        self.opened_at = now
        self.listen_address = None if inbound else address
        """Where the peer can be dialled: what we dialled, or his host with the port of his hello; None if unknown."""
        self.hello: Hello | None = None
        """What the peer said of himself, once accepted."""
        self.goodbye_sent: Goodbye | None = None
        self.goodbye_received: Goodbye | None = None
        self.last_block_ns: int | None = None
        """When he last gave us a block that was new and valid (set by the node)."""
        self.last_transaction_ns: int | None = None
        """When he last gave us a transaction that our mempool took (set by the node)."""
        self.received = Traffic()
        self.sent = Traffic()
        self.unknown_messages = 0
        """Well-framed messages of types we do not know."""
        self.unsent = 0
        """Bytes handed to the world and not yet drained to the network."""
        self.round_trip = RoundTrip()
        self._frame_limit = frame_limit
        self._reader = FrameReader(FRAME_LIMIT_BEFORE_HELLO)

    @property
    def is_open(self) -> bool:
        """Whether the peer can still be sent anything."""
        return self.state in (PeerState.AWAITING_HELLO, PeerState.READY)

    def receive(self, data: bytes | bytearray | memoryview) -> Iterator[Message | None]:
        """The messages that `data` completes, in order, None for one of a type that is unknown to us. Exhaust it before
        the next call.

        Lazy on purpose: what the owner does about one message (accept the hello, hang up) holds for the next one in
        the same read. Raises `DecodeError` (`FrameError` or `MessageError`) at a violation of the protocol, after
        all messages before it.
        """
        self.received.bytes += len(data)
        for payload in self._reader.feed(data):
            if not self.is_open:
                return
            message = decode(payload)
            if message is None:
                if self.state is not PeerState.READY:
                    raise MessageError(f"message type {payload[0]} came before hello")
                self.unknown_messages += 1
                yield None
                continue
            kind = type_of(message)
            if kind not in MAY_COME[self.state]:
                raise MessageError(f"{kind.name.lower()} may not come while {self.state.value}")
            self.received.count(kind)
            if isinstance(message, Goodbye):
                self.goodbye_received = message
            yield message

    def accept_hello(self, hello: Hello) -> None:
        """The handshake is done: full frames are read from now on."""
        self.state = next_state(self.state, PeerEvent.HELLO_ACCEPTED)
        self.hello = hello
        if self.inbound and hello.listen_port != 0:
            self.listen_address = NetAddress(self.address.host, hello.listen_port)
        self._reader.limit = self._frame_limit

    def pack(self, message: Message) -> bytes:
        """`message` as bytes for the stream, counted as sent and unsent."""
        data = frame(encode(message))
        self.sent.count(type_of(message))
        self.sent.bytes += len(data)
        self.unsent += len(data)
        return data

    def drained(self, count: int) -> None:
        """The world reports that `count` bytes left for the network."""
        assert 0 <= count <= self.unsent, "more bytes drained than were sent"
        self.unsent -= count

    def hang_up(self, code: GoodbyeCode, text: str) -> bytes:
        """Begin to close: the packed goodbye to send last. Only for a peer that `is_open`."""
        self.state = next_state(self.state, PeerEvent.HANG_UP)
        self.goodbye_sent = Goodbye(code.value, printable(text, MAX_GOODBYE_TEXT - len("...")))
        return self.pack(self.goodbye_sent)

    def closed(self) -> None:
        """The world reports that the stream is gone."""
        self.state = next_state(self.state, PeerEvent.CLOSED)

    @property
    def farewell(self) -> str | None:
        """Why the connection ends, in one line fit for a log; None when nobody said."""
        if self.goodbye_sent is not None:
            return f"{self.goodbye_sent.code}: {self.goodbye_sent.text}"
        if self.goodbye_received is not None:
            return f"peer said {printable(self.goodbye_received.code)}: {printable(self.goodbye_received.text)}"
        return None
