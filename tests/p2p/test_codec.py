"""Private messages: types that a node's own managers add to the protocol's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError
from pychain.p2p.framing import frame
from pychain.p2p.messages import (
    FIRST_PRIVATE_TYPE,
    STANDARD,
    Codec,
    Fields,
    MessageError,
    MessageType,
    Ping,
    type_name,
)
from pychain.p2p.peer import Peer
from pychain.p2p.states import PeerState
from tests.p2p.recording import make_hello, make_peer
from tests.p2p.strategies import every_message


class Whisper(Fields, frozen=True):
    """A message that the protocol does not know."""

    text: str
    count: int = 0


class Shout(Fields, frozen=True):
    text: str


NUMBER = 200
CODEC = Codec({NUMBER: Whisper})


def received(peer: Peer, message: Fields, codec: Codec = CODEC) -> list[Fields | None]:
    return list(peer.receive(peer.unseal(frame(codec.encode(message)))))


def test_private_numbers_begin_after_those_of_the_protocol() -> None:
    assert FIRST_PRIVATE_TYPE == 128
    assert max(MessageType) < FIRST_PRIVATE_TYPE


@pytest.mark.parametrize("number", [128, 255])
def test_the_bounds_of_private_numbers(number: int) -> None:
    codec = Codec({number: Whisper})
    assert codec.encode(Whisper("a", 1))[0] == codec.type_of(Whisper("b")) == number
    assert codec.decode(codec.encode(Whisper("a", 1))) == Whisper("a", 1)


@pytest.mark.parametrize("number", [-1, 0, *MessageType, 13, 127, 256, 1000])
def test_any_other_number_is_refused_by_name(number: int) -> None:
    with pytest.raises(ConfigError, match=f"message type {number} of Whisper is not in 128 to 255"):
        Codec({130: Shout, number: Whisper})


@given(every_message)
def test_the_messages_of_the_protocol_stay_as_they_are(message: Fields) -> None:
    data = CODEC.encode(message)
    assert data == STANDARD.encode(message)
    assert CODEC.decode(data) == message


@given(st.text(), st.integers(-(2**63), 2**63))
def test_round_trip(text: str, count: int) -> None:
    assert CODEC.decode(CODEC.encode(Whisper(text, count))) == Whisper(text, count)


@given(st.binary(max_size=50))
def test_a_malformed_private_message_is_a_message_error_that_names_its_number(body: bytes) -> None:
    try:
        message = CODEC.decode(bytes((NUMBER,)) + body)
    except MessageError as error:
        refusal = str(error)
    else:
        assert isinstance(message, Whisper)
        return
    assert refusal.startswith(f"malformed type_{NUMBER}: ")


def test_what_a_codec_does_not_know_it_does_not_encode() -> None:
    with pytest.raises(KeyError):
        STANDARD.encode(Whisper("a"))


def test_numbers_as_people_read_them() -> None:
    assert [type_name(number) for number in (MessageType.FEE_FILTER, 2, 13, NUMBER)] == [
        "fee_filter",
        "ping",
        "type_13",
        "type_200",
    ]


# --- over a connection


def test_a_private_message_is_delivered_and_counted_by_its_number() -> None:
    peer = make_peer(1, hello=make_hello(), codec=CODEC)
    assert received(peer, Whisper("a")) == [Whisper("a")]
    assert peer.received.messages == {NUMBER: 1}
    assert peer.unknown_messages == 0
    assert peer.pack(Whisper("b")) == frame(CODEC.encode(Whisper("b")))
    assert peer.sent.messages == {NUMBER: 1}


def test_who_does_not_know_it_ignores_it() -> None:
    peer = make_peer(1, hello=make_hello())
    data = frame(CODEC.encode(Whisper("a"))) + frame(STANDARD.encode(Ping(7)))
    assert list(peer.receive(peer.unseal(data))) == [None, Ping(7)]
    assert peer.unknown_messages == 1
    assert peer.received.messages == {MessageType.PING: 1}


@pytest.mark.parametrize("secured", [False, True])
def test_it_may_not_come_before_the_peer_is_ready(secured: bool) -> None:
    peer = make_peer(1, secured=secured, codec=CODEC)
    state = PeerState.AWAITING_HELLO if secured else PeerState.SECURING
    with pytest.raises(MessageError, match=f"type_{NUMBER} may not come while {state.value}"):
        received(peer, Whisper("a"))


def test_nor_may_one_of_unknown_type() -> None:
    with pytest.raises(MessageError, match=f"message type {NUMBER} came before hello"):
        received(make_peer(1), Whisper("a"))


def test_a_message_of_the_protocol_gets_no_private_number() -> None:
    with pytest.raises(ConfigError, match="Ping is a message of the protocol"):
        Codec({FIRST_PRIVATE_TYPE: Ping})
