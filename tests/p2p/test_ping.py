"""Pings: round-trip times, and the timeout of silent peers."""

from __future__ import annotations

from pychain.base.entropy import Random
from pychain.p2p.messages import GoodbyeCode, Ping, Pong
from pychain.p2p.peer import Peer
from pychain.p2p.ping import PingManager
from tests.p2p.recording import CountedEntropy, RecordingWire, at, make_hello, make_peer


def setup(seed: int = 1) -> tuple[RecordingWire, PingManager, Peer]:
    wire = RecordingWire()
    manager = PingManager(wire, CountedEntropy(), Random(seed))
    peer = make_peer(1, hello=make_hello(), wire=wire)
    manager.peer_ready(peer, at(3))
    return wire, manager, peer


def last_nonce(wire: RecordingWire) -> int:
    return wire.sent_to(1, Ping)[-1].nonce


def test_a_new_peer_is_measured_at_once() -> None:
    wire, manager, peer = setup()
    manager.on_pong(peer, Pong(last_nonce(wire)), at(3.25))
    assert peer.round_trip.last_ns == peer.round_trip.least_ns == at(0.25).mono_ns


def test_pings_go_on_at_jittered_intervals_with_fresh_nonces() -> None:
    wire, manager, peer = setup()
    gaps = []
    moment = 3.0
    for _ in range(20):
        manager.on_pong(peer, Pong(last_nonce(wire)), at(moment))
        following = manager.deadline()
        assert following is not None
        gaps.append(following / 1e9 - moment)
        moment = following / 1e9
        manager.poll(at(moment + 0.001))
    pings = wire.sent_to(1, Ping)
    assert len(pings) == 21
    assert len({ping.nonce for ping in pings}) == 21
    assert all(7.4 <= gap <= 22.6 for gap in gaps)
    assert max(gaps) - min(gaps) > 1


def test_a_wrong_or_repeated_pong_changes_nothing() -> None:
    wire, manager, peer = setup()
    manager.on_pong(peer, Pong(last_nonce(wire) ^ 1), at(3.1))
    assert peer.round_trip.last_ns is None
    manager.on_pong(peer, Pong(last_nonce(wire)), at(3.2))
    deadline = manager.deadline()
    manager.on_pong(peer, Pong(last_nonce(wire)), at(3.3))
    assert peer.round_trip.last_ns == at(0.2).mono_ns
    assert manager.deadline() == deadline


def test_silence_ends_the_connection() -> None:
    wire, manager, peer = setup()
    manager.on_pong(peer, Pong(0), at(4))
    assert manager.deadline() == at(48).mono_ns
    manager.poll(at(47.9))
    assert wire.ended() == []
    manager.poll(at(48))
    assert wire.ended() == [(1, GoodbyeCode.TIMEOUT)]
    assert manager.deadline() is None


def test_a_ping_is_answered_with_its_nonce() -> None:
    wire, manager, peer = setup()
    manager.on_ping(peer, Ping(2**64 - 1), at(4))
    assert wire.sent[-1] == (1, Pong(2**64 - 1))


def test_a_closed_peer_is_forgotten() -> None:
    wire, manager, peer = setup()
    nonce = last_nonce(wire)
    manager.peer_closed(peer, at(4))
    manager.on_pong(peer, Pong(nonce), at(4))
    manager.poll(at(1000))
    assert manager.deadline() is None
    assert wire.ended() == []
    assert peer.round_trip.last_ns is None
