"""The handshake: which peers are accepted, and why others are refused."""

from __future__ import annotations

import pytest

from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.messages import GoodbyeCode, Hello
from pychain.p2p.peer import Peer
from pychain.p2p.states import PeerState
from tests.p2p.recording import GENESIS, START_S, CountedEntropy, RecordingWire, at, digest, make_hello, make_peer


@pytest.fixture
def wire() -> RecordingWire:
    return RecordingWire()


@pytest.fixture
def handshake(wire: RecordingWire) -> Handshake:
    return Handshake(wire, CountedEntropy(), OurSide(GENESIS, "pychain test"))


def secure(handshake: Handshake, peer: Peer, moment: float) -> None:
    """The stream opens, and its channel is established at once."""
    handshake.peer_opened(peer, at(moment))
    peer.secured()
    handshake.peer_secured(peer, at(moment))


def test_hello_goes_out_at_once_and_says_who_we_are(wire: RecordingWire, handshake: Handshake) -> None:
    handshake.ours.listen_port = 1234
    handshake.ours.tip_height = 7
    handshake.ours.tip_work = 0x1020
    secure(handshake, make_peer(1, secured=False, wire=wire), 5)
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
    peer = make_peer(1, secured=False, wire=wire)
    secure(handshake, peer, 0)
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
        peer = make_peer(peer_id, secured=False, wire=wire)
        secure(handshake, peer, 0)
        assert not handshake.on_hello(peer, hello)
        assert peer.state is PeerState.CLOSING
        assert peer.goodbye_sent is not None
        assert peer.goodbye_sent.code == code
        assert all(word in peer.goodbye_sent.text for word in words), "the text must survive the bound of a goodbye"


def test_a_newer_protocol_is_welcome(wire: RecordingWire, handshake: Handshake) -> None:
    peer = make_peer(1, secured=False, wire=wire)
    secure(handshake, peer, 0)
    assert handshake.on_hello(peer, make_hello(protocol=2**32 - 1))


def test_silence_ends_the_connection_after_ten_seconds(wire: RecordingWire, handshake: Handshake) -> None:
    peers = {number: make_peer(number, secured=False, wire=wire) for number in (1, 2, 3)}
    secure(handshake, peers[1], 0)
    secure(handshake, peers[2], 4)
    secure(handshake, peers[3], 4)
    handshake.peer_closed(peers[3], at(4))
    assert handshake.deadline() == at(10).mono_ns
    handshake.poll(at(9.999))
    assert wire.ended() == []
    handshake.poll(at(10))
    assert wire.ended() == [(1, GoodbyeCode.TIMEOUT)]
    handshake.poll(at(20))
    assert wire.ended() == [(1, GoodbyeCode.TIMEOUT), (2, GoodbyeCode.TIMEOUT)]
    assert {text for *_, text in wire.hung_up} == {"no hello within 10 s"}
    assert handshake.deadline() is None


def test_nothing_is_said_before_the_channel_is_established(wire: RecordingWire, handshake: Handshake) -> None:
    handshake.peer_opened(make_peer(1, secured=False, wire=wire), at(3))
    assert wire.sent == []
    assert handshake.deadline() == at(13).mono_ns
    handshake.poll(at(12.999))
    assert wire.ended() == []
    handshake.poll(at(13))
    assert wire.hung_up == [(1, GoodbyeCode.TIMEOUT, "no secure channel within 10 s")]
    assert wire.sent == []
    assert handshake.deadline() is None


def test_the_time_for_hello_begins_when_the_channel_is_established(wire: RecordingWire, handshake: Handshake) -> None:
    peer = make_peer(1, secured=False, wire=wire)
    handshake.peer_opened(peer, at(0))
    peer.secured()
    handshake.peer_secured(peer, at(9))
    assert len(wire.sent_to(1, Hello)) == 1
    handshake.poll(at(18.999))
    assert wire.ended() == []
    handshake.poll(at(19))
    assert wire.hung_up == [(1, GoodbyeCode.TIMEOUT, "no hello within 10 s")]


def test_who_leaves_while_its_channel_is_made_is_forgotten(wire: RecordingWire, handshake: Handshake) -> None:
    peer = make_peer(1, secured=False, wire=wire)
    handshake.peer_opened(peer, at(0))
    handshake.peer_closed(peer, at(1))
    handshake.poll(at(1000))
    assert handshake.deadline() is None
    assert wire.ended() == []


def test_nonces_differ_between_nodes() -> None:
    nonces = {Handshake(RecordingWire(), CountedEntropy(str(node)), OurSide(GENESIS, "")).nonce for node in range(50)}
    assert len(nonces) == 50
