"""Peers: states, the order of messages in one read, and byte counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.p2p.framing import FrameError, frame
from pychain.p2p.messages import (
    Fields,
    Goodbye,
    GoodbyeCode,
    Headers,
    Hello,
    Message,
    MessageError,
    MessageType,
    Ping,
    Pong,
    encode,
)
from pychain.p2p.peer import Peer, RoundTrip
from pychain.p2p.states import MAY_COME, TRANSITIONS, PeerEvent, PeerState, next_state
from tests.p2p.recording import make_hello, make_peer
from tests.p2p.strategies import every_message

LARGE = Headers((bytes(80),) * 100)
"""Over the limit before hello."""


def stream(*messages: Message) -> bytes:
    return b"".join(frame(encode(message)) for message in messages)


def talk(peer: Peer, data: bytes) -> list[Fields | None]:
    """The messages in the peer's bytes, with each hello accepted as it comes."""
    got: list[Fields | None] = []
    for message in peer.receive(peer.unseal(data)):
        if isinstance(message, Hello):
            peer.accept_hello(message)
        got.append(message)
    return got


def test_every_state_has_both_rows() -> None:
    assert list(TRANSITIONS) == list(PeerState) == list(MAY_COME)


def test_every_state_is_reached_and_all_ends_are_closed() -> None:
    reached = [make_peer(1, secured=False).state]
    for state in reached:  # which grows meanwhile
        reached += [following for following in TRANSITIONS[state].values() if following not in reached]
    assert set(reached) == set(PeerState)
    assert all(
        state is PeerState.CLOSED or TRANSITIONS[state][PeerEvent.CLOSED] is PeerState.CLOSED for state in PeerState
    )


@given(st.sampled_from(PeerState), st.sampled_from(PeerEvent))
def test_an_impossible_event_is_a_bug(state: PeerState, event: PeerEvent) -> None:
    if event in TRANSITIONS[state]:
        assert next_state(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(AssertionError):
            next_state(state, event)


def test_hello_and_a_long_message_in_one_read() -> None:
    peer = make_peer(1)
    assert talk(peer, stream(make_hello(), LARGE)) == [make_hello(), LARGE]
    assert peer.state is PeerState.READY


def test_a_long_message_before_hello_is_refused() -> None:
    with pytest.raises(FrameError):
        talk(make_peer(1), stream(LARGE))


@given(every_message)
def test_first_comes_hello_or_goodbye(message: Message) -> None:
    peer = make_peer(1)
    data = stream(message)
    if isinstance(message, Hello | Goodbye):
        assert talk(peer, data) == [message]
    else:
        with pytest.raises(DecodeError):
            talk(peer, data)


@given(every_message)
def test_after_hello_comes_anything_but_hello(message: Message) -> None:
    peer = make_peer(1, hello=make_hello())
    if isinstance(message, Hello):
        with pytest.raises(MessageError, match="hello may not come while ready"):
            talk(peer, stream(message))
    else:
        assert talk(peer, stream(message)) == [message]


def test_unknown_types_are_counted_after_hello_and_refused_before() -> None:
    unknown = frame(b"\x63anything")
    peer = make_peer(1, hello=make_hello())
    assert talk(peer, unknown + stream(Ping(1)) + unknown) == [None, Ping(1), None]
    assert peer.unknown_messages == 2
    with pytest.raises(MessageError, match="message type 99 came before hello"):
        talk(make_peer(2), unknown)


def test_messages_before_a_broken_one_are_delivered() -> None:
    peer = make_peer(1, hello=make_hello())
    messages = peer.receive(stream(Ping(1), Ping(2)) + frame(b"\x02") + stream(Ping(3)))
    assert [next(messages), next(messages)] == [Ping(1), Ping(2)]
    with pytest.raises(MessageError):
        next(messages)


def test_nothing_is_delivered_after_we_hang_up() -> None:
    peer = make_peer(1, hello=make_hello())
    got = []
    for message in peer.receive(stream(Ping(1), Ping(2))):
        got.append(message)
        peer.hang_up(GoodbyeCode.MISBEHAVIOUR, "enough")
    assert got == [Ping(1)]
    assert talk(peer, stream(Ping(3))) == []


def test_traffic_is_counted_by_type() -> None:
    peer = make_peer(1, hello=make_hello())
    data = stream(Ping(1), Ping(2), Pong(3))
    talk(peer, data)
    assert peer.received.bytes == len(data)
    assert peer.received.messages == {MessageType.PING: 2, MessageType.PONG: 1}
    packed = peer.pack(Ping(7))
    assert packed == stream(Ping(7))
    assert peer.sent.messages == {MessageType.PING: 1}
    assert peer.sent.bytes == peer.unsent == len(packed)
    peer.drained(3)
    assert peer.unsent == len(packed) - 3
    with pytest.raises(AssertionError):
        peer.drained(len(packed))


def test_the_goodbye_is_bounded_and_printable_in_both_directions() -> None:
    ours = make_peer(1, hello=make_hello())
    theirs = make_peer(2, hello=make_hello())
    assert ours.farewell is None
    packed = ours.hang_up(GoodbyeCode.PROTOCOL_ERROR, "line\n" * 1000)
    assert ours.state is PeerState.CLOSING
    assert not ours.is_open
    talk(theirs, packed)
    assert theirs.goodbye_received == ours.goodbye_sent
    assert ours.farewell is not None
    assert ours.farewell.startswith("protocol_error: line\ufffdline")
    talk(theirs, b"")
    assert theirs.farewell is not None
    assert theirs.farewell.startswith("peer said protocol_error: line")
    assert theirs.farewell.isprintable()
    ours.closed()
    assert ours.state is PeerState.CLOSED


@pytest.mark.parametrize(
    ("inbound", "listen_port", "expected"),
    [(True, 30700, "192.0.2.1:30700"), (True, 0, None), (False, 0, "192.0.2.1:4444"), (False, 30700, "192.0.2.1:4444")],
)
def test_where_a_peer_can_be_dialled(inbound: bool, listen_port: int, expected: str | None) -> None:
    peer = make_peer(1, "192.0.2.1", 4444, inbound=inbound)
    assert (peer.listen_address is None) == inbound
    peer.accept_hello(make_hello(listen_port=listen_port))
    assert (peer.listen_address.host_port if peer.listen_address else None) == expected


def test_round_trips_are_smoothed() -> None:
    trip = RoundTrip()
    for measured in (800, 1600, 400):
        trip.measured(measured)
    assert (trip.last_ns, trip.least_ns, trip.smoothed_ns) == (400, 400, (7 * 900 + 400) // 8)
