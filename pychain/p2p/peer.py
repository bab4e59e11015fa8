"""One connection: its state, its stream of messages, and its statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pychain.base.time import Now
from pychain.p2p.channel import Channel, ChannelError, PlainChannel
from pychain.p2p.endpoint import Endpoint, PeerId
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.limits import FRAME_LIMIT_BEFORE_HELLO, MAX_CHANNEL_HANDSHAKE, MAX_GOODBYE_TEXT
from pychain.p2p.messages import (
    FIRST_PRIVATE_TYPE,
    STANDARD,
    Codec,
    Fields,
    Goodbye,
    GoodbyeCode,
    Hello,
    MessageError,
    printable,
    type_name,
)
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.states import MAY_COME, PeerEvent, PeerState, next_state


@dataclass(slots=True)
class Traffic:
    """Bytes of the stream, and messages by type byte, of one direction."""

    bytes: int = 0
    messages: dict[int, int] = field(default_factory=dict)

    def count(self, kind: int) -> None:
        self.messages[kind] = self.messages.get(kind, 0) + 1

    def add(self, other: Traffic) -> None:
        """Add another's counts."""
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
        """Add a measurement; smoothing by one eighth, as TCP does (RFC 6298)."""
        self.last_ns = rtt_ns
        self.least_ns = rtt_ns if self.least_ns is None else min(self.least_ns, rtt_ns)
        self.smoothed_ns = rtt_ns if self.smoothed_ns is None else (7 * self.smoothed_ns + rtt_ns) // 8


class Peer:
    """A connection as the node sees it, from the open stream to its end.

    `peer_id` numbers the connection and is never reused; it comes from the runtime. `endpoint` is the remote end; for
    an outbound peer, what we dialled. `manual`: the operator asked for this connection.
    """

    __slots__ = (
        "_codec",
        "_frame_limit",
        "_handshake_bytes",
        "_reader",
        "address",
        "channel",
        "endpoint",
        "goodbye_received",
        "goodbye_sent",
        "hello",
        "inbound",
        "is_open",
        "last_block_ns",
        "last_transaction_ns",
        "listen_address",
        "manual",
        "opened_at",
        "peer_id",
        "received",
        "round_trip",
        "sent",
        "state",
        "unknown_messages",
        "unsent",
    )

    def __init__(
        self,
        peer_id: int,
        endpoint: Endpoint,
        now: Now,
        *,
        inbound: bool,
        frame_limit: int,
        manual: bool = False,
        channel: Channel | None = None,
        codec: Codec = STANDARD,
    ) -> None:
        """`frame_limit`: the largest payload after hello (`limits.frame_limit`). `channel`: None for plain."""
        self.peer_id = peer_id
        self.endpoint = endpoint
        self.address = endpoint.address
        self.inbound = inbound
        self.manual = manual
        self.channel: Channel = channel or PlainChannel()
        self.state = PeerState.SECURING
        self.is_open = True
        """Neither side has ended the connection."""
        self.opened_at = now
        self.listen_address = None if inbound else self.address
        """Where the peer can be dialled: what we dialled, or its host with the port of its hello; None if unknown."""
        self.hello: Hello | None = None
        """The peer's hello, once accepted."""
        self.goodbye_sent: Goodbye | None = None
        self.goodbye_received: Goodbye | None = None
        self.last_block_ns: int | None = None
        """When it last gave us a new valid block (set by the node)."""
        self.last_transaction_ns: int | None = None
        """When it last gave us a transaction that our mempool accepted (set by the node)."""
        self.received = Traffic()
        self.sent = Traffic()
        self.unknown_messages = 0
        """Well-framed messages of unknown types."""
        self.unsent = 0
        """Bytes given to the runtime and not yet drained to the network."""
        self.round_trip = RoundTrip()
        self._codec = codec
        self._frame_limit = frame_limit
        self._handshake_bytes = 0
        self._reader = FrameReader(FRAME_LIMIT_BEFORE_HELLO)

    @property
    def identity(self) -> PeerId | None:
        """The identity that the peer has proved; None where the channel proves nothing."""
        return self.channel.remote

    # --- the channel

    def unseal(self, data: bytes) -> bytes:
        """The plaintext that bytes of the stream complete. Raises `ChannelError`."""
        self.received.bytes += len(data)
        if self.state is PeerState.SECURING:
            self._handshake_bytes += len(data)
            if self._handshake_bytes > MAX_CHANNEL_HANDSHAKE:
                raise ChannelError(f"over {MAX_CHANNEL_HANDSHAKE} bytes came before the channel was established")
        return self.channel.receive(data)

    def handshake_output(self) -> bytes:
        """Take the handshake bytes of the channel to send now, counted as sent."""
        output = self.channel.output()
        self.sent.bytes += len(output)
        self.unsent += len(output)
        return output

    def secured(self) -> None:
        """The channel is established: hello may come."""
        self._advance(PeerEvent.SECURED)

    @property
    def is_impostor(self) -> bool:
        """Whether the peer has proved another peer id than the one that was dialled."""
        expected, proved = self.endpoint.peer_id, self.identity
        return not self.inbound and expected is not None and proved is not None and proved != expected

    # --- messages

    def receive(self, plaintext: bytes | bytearray | memoryview) -> Iterator[Fields | None]:
        """Yield the messages that some plaintext completes, in order, None for a message of unknown type. Exhaust it
        before the next call.

        Lazy on purpose: what the owner does about one message (accept the hello, hang up) applies to the next one in
        the same read. Raises `DecodeError` (`FrameError` or `MessageError`) at a protocol error, after all messages
        before it.
        """
        for payload in self._reader.feed(plaintext):
            if not self.is_open:
                return
            message = self._codec.decode(payload)
            if message is None:
                if self.state is not PeerState.READY:
                    raise MessageError(f"message type {payload[0]} came before hello")
                self.unknown_messages += 1
                yield None
                continue
            kind = payload[0]
            is_private = kind >= FIRST_PRIVATE_TYPE
            if not (self.state is PeerState.READY if is_private else kind in MAY_COME[self.state]):
                raise MessageError(f"{type_name(kind)} may not come while {self.state.value}")
            self.received.count(kind)
            if isinstance(message, Goodbye):
                self.goodbye_received = message
            yield message

    def accept_hello(self, hello: Hello) -> None:
        """The handshake is complete: full-size frames are accepted from now on."""
        self._advance(PeerEvent.HELLO_ACCEPTED)
        self.hello = hello
        if self.inbound and hello.listen_port != 0:
            self.listen_address = NetAddress(self.address.host, hello.listen_port)
        self._reader.limit = self._frame_limit

    @property
    def can_be_sent_to(self) -> bool:
        """Whether messages can be sent: the channel is established, and neither side has ended the connection."""
        return self.is_open and self.state is not PeerState.SECURING

    def pack(self, message: Fields) -> bytes:
        """`message` as bytes for the stream, counted as sent and unsent."""
        payload = self._codec.encode(message)
        data = self.channel.seal(frame(payload))
        self.sent.count(payload[0])
        self.sent.bytes += len(data)
        self.unsent += len(data)
        return data

    def drained(self, count: int) -> None:
        """The runtime reports that `count` bytes have gone to the network."""
        assert 0 <= count <= self.unsent, "more bytes drained than were sent"
        self.unsent -= count

    def hang_up(self, code: GoodbyeCode, text: str) -> bytes:
        """Begin to close a peer that `is_open`. Returns the packed goodbye to send last, empty where the channel is not
        established yet."""
        can_be_told = self.can_be_sent_to
        self._advance(PeerEvent.HANG_UP)
        self.goodbye_sent = Goodbye(code.value, printable(text, MAX_GOODBYE_TEXT - len("...")))
        return self.pack(self.goodbye_sent) if can_be_told else b""

    def goodbye_came(self) -> None:
        """The peer sent goodbye: nothing more is sent."""
        self._advance(PeerEvent.HANG_UP)

    def closed(self) -> None:
        """The runtime reports that the stream is gone."""
        self._advance(PeerEvent.CLOSED)

    def _advance(self, event: PeerEvent) -> None:
        self.state = next_state(self.state, event)
        self.is_open = self.state not in (PeerState.CLOSING, PeerState.CLOSED)

    @property
    def farewell(self) -> str | None:
        """Why the connection ends, in one line for a log; None when no side said."""
        if self.goodbye_sent is not None:
            return f"{self.goodbye_sent.code}: {self.goodbye_sent.text}"
        if self.goodbye_received is not None:
            return f"peer said {printable(self.goodbye_received.code)}: {printable(self.goodbye_received.text)}"
        return None
