"""Fee filters: sent when they change, and not too often."""

from __future__ import annotations

from pychain.p2p.fees import FeeFilterManager
from pychain.p2p.messages import FeeFilter
from tests.p2p.recording import RecordingWire, at, make_hello, make_peer


def test_peers_believe_zero_until_told() -> None:
    wire = RecordingWire()
    manager = FeeFilterManager(wire)
    manager.peer_ready(make_peer(1, hello=make_hello()), at(0))
    assert wire.sent == []
    manager.set_floor(1000, at(1))
    manager.peer_ready(make_peer(2, hello=make_hello()), at(2))
    assert wire.sent == [(1, FeeFilter(1000)), (2, FeeFilter(1000))]


def test_a_restless_floor_is_told_once_in_ten_seconds() -> None:
    wire = RecordingWire()
    manager = FeeFilterManager(wire)
    manager.peer_ready(make_peer(1, hello=make_hello()), at(0))
    for step in range(100):
        manager.set_floor(1000 + step, at(step / 10))
        manager.poll(at(step / 10))
    assert wire.sent_to(1, FeeFilter) == [FeeFilter(1000)]
    assert manager.deadline() == at(10).mono_ns
    manager.poll(at(10))
    assert wire.sent_to(1, FeeFilter)[1:] == [FeeFilter(1099)]


def test_a_floor_that_came_back_is_not_told() -> None:
    wire = RecordingWire()
    manager = FeeFilterManager(wire)
    manager.peer_ready(make_peer(1, hello=make_hello()), at(0))
    for step, floor in enumerate((5, 6, 5)):
        manager.set_floor(floor, at(step))
    manager.poll(at(10))
    assert wire.sent_to(1, FeeFilter) == [FeeFilter(5)]
    assert manager.deadline() is None
    manager.set_floor(7, at(11))
    assert wire.sent_to(1, FeeFilter)[1:] == [FeeFilter(7)]


def test_a_closed_peer_is_forgotten() -> None:
    wire = RecordingWire()
    manager = FeeFilterManager(wire)
    peer = make_peer(1, hello=make_hello())
    manager.peer_ready(peer, at(0))
    manager.set_floor(5, at(0))
    manager.peer_closed(peer, at(0))
    manager.set_floor(6, at(20))
    manager.poll(at(20))
    assert wire.sent_to(1, FeeFilter) == [FeeFilter(5)]
    assert manager.deadline() is None
