"""Channels with a handshake: no message is sent before it is complete, and all messages go through the channel."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.entropy import Entropy
from pychain.base.errors import DecodeError
from pychain.p2p.channel import Channel, ChannelError, PlainChannel, plain_channel
from pychain.p2p.endpoint import Endpoint, PeerId
from pychain.p2p.framing import frame
from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.limits import MAX_CHANNEL_HANDSHAKE
from pychain.p2p.messages import Fields, Goodbye, GoodbyeCode, Hello, MessageError, Ping, encode
from pychain.p2p.states import PeerState
from tests.p2p.recording import GENESIS, CountedEntropy, at, make_hello, make_peer

PROOF_BYTES = 32
ALICE, BOB, MALLORY = PeerId("A" * 8), PeerId("B" * 8), PeerId("M" * 8)


class ProvingChannel:
    """A handshake of one round trip, then every byte masked. Each side sends a nonce and its name, and the listener
    adds a proof for the dialler's nonce; the dialler's name is not proved. A plain hash replaces the signature.
    """

    def __init__(self, ours: PeerId, dialled: bool, entropy: Entropy) -> None:
        self.remote: PeerId | None = None
        self._ours = ours
        self._dialled = dialled
        self._nonce = entropy.bytes(PROOF_BYTES)
        self._greeting = self._nonce + ours.encode()
        self._size = len(self._greeting) + (PROOF_BYTES if dialled else 0)
        """Bytes of the other side's greeting, to which the listener's proof belongs."""
        self._output = self._greeting if dialled else b""
        self._received = b""
        self._mask = 0

    @property
    def established(self) -> bool:
        return self.remote is not None

    def receive(self, data: bytes) -> bytes:
        if self.established:
            return self._masked(data)
        self._received += data
        if len(self._received) < self._size:
            return b""
        greeting, rest = self._received[: self._size], self._received[self._size :]
        nonce, name, proof = greeting[:PROOF_BYTES], greeting[PROOF_BYTES:][:8], greeting[PROOF_BYTES:][8:]
        if self._dialled and proof != sha256(name + self._nonce).digest():
            raise ChannelError("the proof is wrong")
        if not self._dialled:
            self._output = self._greeting + sha256(self._ours.encode() + nonce).digest()
        self.remote = PeerId(name.decode())
        self._mask = (nonce[0] ^ self._nonce[0]) | 0x80
        return self._masked(rest)

    def seal(self, plaintext: bytes) -> bytes:
        assert self.established
        return self._masked(plaintext)

    def output(self) -> bytes:
        taken, self._output = self._output, b""
        return taken

    def _masked(self, data: bytes) -> bytes:
        return bytes(byte ^ self._mask for byte in data)


class NeverEstablished(PlainChannel):
    """A channel whose handshake never ends."""

    established = False

    def receive(self, data: bytes) -> bytes:
        return b""


class End:
    """One end of a connection as a node drives it: its peer, its handshake, and what it sends."""

    def __init__(self, channel: Channel, *, inbound: bool, expected: PeerId | None = None, label: str = "") -> None:
        self.peer = make_peer(1, inbound=inbound, secured=False, expected=expected, channel=channel)
        self.handshake = Handshake(self, CountedEntropy(label), OurSide(GENESIS, "pychain in the open"))
        self.sent = b""
        self.got: list[Fields | None] = []
        self.handshake.peer_opened(self.peer, at(0))
        self._advance()

    def send(self, peer_id: int, message: Fields) -> None:
        assert self.peer.can_be_sent_to
        self.sent += self.peer.pack(message)

    def hang_up(self, peer_id: int, code: GoodbyeCode, text: str) -> None:
        self.sent += self.peer.hang_up(code, text)

    def dial(self, endpoint: Endpoint) -> None:
        raise AssertionError("nobody is dialled here")

    def receive(self, data: bytes) -> None:
        plaintext = self.peer.unseal(data)
        if self.peer.state is PeerState.SECURING:
            self._advance()
        for message in self.peer.receive(plaintext):
            self.got.append(message)
            if isinstance(message, Hello):
                self.handshake.on_hello(self.peer, message)

    def take_sent(self) -> bytes:
        taken, self.sent = self.sent, b""
        return taken

    def _advance(self) -> None:
        self.sent += self.peer.handshake_output()
        if self.peer.channel.established:
            self.peer.secured()
            if self.peer.is_impostor:
                self.hang_up(1, GoodbyeCode.WRONG_IDENTITY, "somebody else answered")
            else:
                self.handshake.peer_secured(self.peer, at(0))


def a_pair(expected: PeerId | None = None, listener: PeerId = BOB) -> tuple[End, End]:
    """Alice has dialled somebody."""
    dialler, listening = (
        ProvingChannel(ALICE, True, CountedEntropy("dialler")),
        ProvingChannel(listener, False, CountedEntropy("listener")),
    )
    return End(dialler, inbound=False, expected=expected, label="a"), End(listening, inbound=True, label="b")


def carry(ends: tuple[End, End], cuts: list[int]) -> None:
    """Deliver all bytes to the other side, in pieces of these sizes and then whole."""
    sizes = iter(cuts)
    while any(end.sent for end in ends):
        for sender, receiver in (ends, ends[::-1]):
            data = sender.take_sent()
            while data:
                size = next(sizes, len(data))
                receiver.receive(data[:size])
                data = data[size:]


@given(st.lists(st.integers(1, 60), max_size=60))
def test_two_ends_prove_who_they_are_and_then_say_hello(cuts: list[int]) -> None:
    ends = a_pair(expected=BOB)
    carry(ends, cuts)
    dialler, listener = ends
    assert dialler.peer.state is listener.peer.state is PeerState.READY
    assert (dialler.peer.identity, listener.peer.identity) == (BOB, ALICE)
    dialler.send(1, Ping(7))
    carry(ends, cuts)
    assert listener.got[1:] == [Ping(7)]
    for one, other in (ends, ends[::-1]):
        assert one.peer.sent.bytes == other.peer.received.bytes == one.peer.unsent
        assert one.peer.sent.messages == other.peer.received.messages


def test_no_hello_before_the_channel_is_established() -> None:
    dialler, listener = a_pair()
    assert listener.take_sent() == b"", "the dialler speaks first"
    greeting = dialler.take_sent()
    assert len(greeting) == dialler.peer.sent.bytes == PROOF_BYTES + len(ALICE)
    listener.receive(greeting[:-1])
    for end in (dialler, listener):
        assert end.sent == b""
        assert end.peer.state is PeerState.SECURING
        assert not end.peer.can_be_sent_to
        assert end.peer.sent.messages == {}
        assert end.peer.identity is None
    listener.receive(greeting[-1:])
    assert listener.peer.state is PeerState.AWAITING_HELLO
    assert listener.peer.can_be_sent_to
    assert sum(listener.peer.sent.messages.values()) == 1
    dialler.receive(listener.take_sent())
    assert dialler.peer.state is PeerState.READY, "hello came in the same read as the end of the handshake"


def test_everything_goes_through_the_channel() -> None:
    dialler, listener = a_pair()
    listener.receive(dialler.take_sent())
    answer = listener.take_sent()
    assert b"pychain" not in answer
    dialler.receive(answer)
    assert b"pychain" not in dialler.take_sent()
    channel = dialler.peer.channel
    assert dialler.peer.pack(Ping(7)) == channel.seal(frame(encode(Ping(7))))
    assert dialler.peer.pack(Ping(7)) != frame(encode(Ping(7)))
    goodbye = dialler.peer.hang_up(GoodbyeCode.REQUESTED, "done")
    assert goodbye == channel.seal(frame(encode(Goodbye("requested", "done"))))


# --- identities


def test_an_impostor_is_recognised_and_told_nothing_but_goodbye() -> None:
    ends = a_pair(expected=BOB, listener=MALLORY)
    carry(ends, [])
    dialler, listener = ends
    assert dialler.peer.is_impostor
    assert dialler.peer.state is PeerState.CLOSING
    assert listener.got == [Goodbye("wrong_identity", "somebody else answered")]
    assert dialler.got == [], "what follows is not read"


@pytest.mark.parametrize(
    ("expected", "is_impostor"), [(None, False), (MALLORY, False), (BOB, True)], ids=["anybody", "it", "another"]
)
@pytest.mark.parametrize("inbound", [False, True])
def test_only_another_identity_than_the_dialled_one_makes_an_impostor(
    expected: PeerId | None, is_impostor: bool, inbound: bool
) -> None:
    channel = PlainChannel()
    channel.remote = MALLORY
    peer = make_peer(1, inbound=inbound, expected=expected, channel=channel)
    assert peer.is_impostor == (is_impostor and not inbound)


def test_where_nothing_is_proved_nobody_is_an_impostor() -> None:
    assert not make_peer(1, expected=BOB).is_impostor
    end = End(ProvingChannel(ALICE, True, CountedEntropy()), inbound=False, expected=BOB)
    assert not end.peer.is_impostor


def test_a_wrong_proof_is_a_protocol_error() -> None:
    dialler, _ = a_pair()
    with pytest.raises(DecodeError, match="the proof is wrong"):
        dialler.receive(bytes(PROOF_BYTES) + BOB.encode() + bytes(PROOF_BYTES))


# --- bounds


@given(st.lists(st.integers(1, MAX_CHANNEL_HANDSHAKE), min_size=1, max_size=20))
def test_bytes_before_the_channel_is_established_are_bounded(sizes: list[int]) -> None:
    peer = make_peer(1, secured=False, channel=NeverEstablished())
    total = 0
    for size in [*sizes, MAX_CHANNEL_HANDSHAKE]:
        total += size
        if total > MAX_CHANNEL_HANDSHAKE:
            with pytest.raises(ChannelError, match="over 4096 bytes"):
                peer.unseal(bytes(size))
            break
        assert peer.unseal(bytes(size)) == b""
    assert peer.received.bytes == total > MAX_CHANNEL_HANDSHAKE


def test_afterwards_they_are_not() -> None:
    peer = make_peer(1, secured=False)
    peer.unseal(bytes(MAX_CHANNEL_HANDSHAKE))
    peer.secured()
    assert peer.unseal(bytes(MAX_CHANNEL_HANDSHAKE)) == bytes(MAX_CHANNEL_HANDSHAKE)


# --- ends


def test_who_is_hung_up_on_while_its_channel_is_made_is_sent_nothing() -> None:
    peer = make_peer(1, secured=False, channel=NeverEstablished())
    assert peer.hang_up(GoodbyeCode.TIMEOUT, "too late") == b""
    assert peer.state is PeerState.CLOSING
    assert peer.farewell == "timeout: too late"
    assert peer.sent.bytes == peer.unsent == 0
    assert peer.sent.messages == {}


def test_nothing_can_be_sent_after_the_end() -> None:
    peer = make_peer(1)
    assert peer.can_be_sent_to
    assert peer.hang_up(GoodbyeCode.REQUESTED, "") != b""
    assert not peer.can_be_sent_to


@pytest.mark.parametrize("message", [make_hello(), Goodbye("requested", ""), Ping(1)])
def test_no_message_may_come_before_the_channel_is_established(message: Fields) -> None:
    peer = make_peer(1, secured=False)
    with pytest.raises(MessageError, match="may not come while securing"):
        list(peer.receive(frame(encode(message))))


@given(st.binary(), st.booleans())
def test_the_plain_channel_is_the_stream_itself(data: bytes, dialled: bool) -> None:
    channel = plain_channel(dialled, CountedEntropy())
    assert channel.established
    assert channel.remote is None
    assert channel.output() == b""
    assert channel.receive(data) == channel.seal(data) == data


def test_a_peer_without_a_channel_speaks_in_the_open() -> None:
    peer = make_peer(1)
    assert peer.identity is None
    assert peer.pack(Ping(1)) == frame(encode(Ping(1)))
