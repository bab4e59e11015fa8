"""The handshake: who is let in, and what the others are told."""

from __future__ import annotations

import pytest

from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.messages import GoodbyeCode, Hello
from pychain.p2p.states import PeerState
from tests.p2p.recording import GENESIS, START_S, CountedEntropy, RecordingWire, at, digest, make_hello, make_peer


@pytest.fixture
def wire() -> RecordingWire:
    return RecordingWire()


@pytest.fixture
def handshake(wire: RecordingWire) -> Handshake:
    return Handshake(wire, CountedEntropy(), OurSide(GENESIS, "pychain test"))


def test_hello_goes_out_at_once_and_says_who_we_are(wire: RecordingWire, handshake: Handshake) -> None:
    handshake.ours.listen_port = 1234
    handshake.ours.tip_height = 7
    handshake.ours.tip_work = 0x1020
    handshake.peer_opened(make_peer(1, wire=wire), at(5))
    assert wire.sent == [
        (
            1,
            Hello(
                protocol=1,
                agent="pychain test",
                genesis=GENESIS,
                time=START_S + 5,
                tip_height=7,
                tip_work=bytes(30) + b"\x10\x20",
                listen_port=1234,
                services=0,
                nonce=handshake.nonce,
            ),
        )
    ]


def test_a_fitting_hello_makes_the_peer_ready(wire: RecordingWire, handshake: Handshake) -> None:
    peer = make_peer(1, wire=wire)
    handshake.peer_opened(peer, at(0))
    assert handshake.on_hello(peer, make_hello(nonce=3))
    assert peer.state is PeerState.READY
    assert peer.hello == make_hello(nonce=3)
    assert handshake.deadline() is None
    handshake.poll(at(1000))
    assert wire.ended() == []


def test_refusals_name_the_reason(wire: RecordingWire, handshake: Handshake) -> None:
    other = digest(9)
    refused = [
        (make_hello(genesis=other), GoodbyeCode.WRONG_NETWORK, [GENESIS[::-1].hex(), other[::-1].hex()]),
        (make_hello(protocol=0), GoodbyeCode.OLD_PROTOCOL, ["version 0 is too old", "1 or newer"]),
        (make_hello(nonce=handshake.nonce), GoodbyeCode.SELF_CONNECTION, ["itself"]),
    ]
    for peer_id, (hello, code, words) in enumerate(refused):
        peer = make_peer(peer_id, wire=wire)
        handshake.peer_opened(peer, at(0))
        assert not handshake.on_hello(peer, hello)
        assert peer.state is PeerState.CLOSING
        assert peer.goodbye_sent is not None
        assert peer.goodbye_sent.code == code
        assert all(word in peer.goodbye_sent.text for word in words), "the text must survive the bound of a goodbye"


def test_a_newer_protocol_is_welcome(wire: RecordingWire, handshake: Handshake) -> None:
    peer = make_peer(1, wire=wire)
    handshake.peer_opened(peer, at(0))
    assert handshake.on_hello(peer, make_hello(protocol=2**32 - 1))


def test_silence_ends_the_connection_after_ten_seconds(wire: RecordingWire, handshake: Handshake) -> None:
    handshake.peer_opened(make_peer(1, wire=wire), at(0))
    handshake.peer_opened(make_peer(2, wire=wire), at(4))
    handshake.peer_opened(make_peer(3, wire=wire), at(4))
    handshake.peer_closed(3)
    assert handshake.deadline() == at(10).mono_ns
    handshake.poll(at(9.999))
    assert wire.ended() == []
    handshake.poll(at(10))
    assert wire.ended() == [(1, GoodbyeCode.TIMEOUT)]
    handshake.poll(at(20))
    assert wire.ended() == [(1, GoodbyeCode.TIMEOUT), (2, GoodbyeCode.TIMEOUT)]
    assert handshake.deadline() is None


def test_nonces_differ_between_nodes() -> None:
    nonces = {Handshake(RecordingWire(), CountedEntropy(str(node)), OurSide(GENESIS, "")).nonce for node in range(50)}
    assert len(nonces) == 50
