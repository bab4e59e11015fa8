"""Duplicate connections: how a node is recognised, and which of the two connections ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.entropy import Random
from pychain.p2p.addresses import AddressManager
from pychain.p2p.channel import PlainChannel
from pychain.p2p.endpoint import Endpoint, PeerId
from pychain.p2p.messages import GoodbyeCode
from pychain.p2p.misbehaviour import Misbehaviour
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.slots import SlotManager
from tests.p2p.recording import RecordingWire, at, make_hello, make_peer
from tests.p2p.slot_node import Node, public

BOB, MALLORY = PeerId("B" * 8), PeerId("M" * 8)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.permutations(range(4)))
def test_crossing_dials_leave_one_connection_on_both_sides(a: int, b: int, order: list[int]) -> None:
    """Two nodes dial each other; whatever order the four hellos arrive in, both end the same connection."""
    if a == b:
        return
    hosts = (NetAddress("192.0.2.1", 30700), NetAddress("192.0.2.2", 30700))
    sides = []
    for nonce in (a, b):
        wire = RecordingWire()
        addresses, misbehaviour = AddressManager(wire, Random(1)), Misbehaviour(wire)
        sides.append((wire, SlotManager(wire, Random(1), addresses, misbehaviour, nonce=nonce)))
    views: list[tuple[int, Peer, int]] = []
    for side, (wire, slots) in enumerate(sides):
        for dialler in (0, 1):
            remote = hosts[1 - side]
            address = remote if dialler == side else NetAddress(remote.host, 50000)
            peer = make_peer(dialler, address.host, address.port, inbound=dialler != side, wire=wire)
            slots.peer_opened(peer, at(0))
            views.append((side, peer, b if side == 0 else a))
    for index in order:
        side, peer, nonce = views[index]
        if peer.is_open:
            peer.accept_hello(make_hello(nonce))
            sides[side][1].admits(peer)
    ended = [wire.ended() for wire, _ in sides]
    assert ended[0] == ended[1] == [(0 if a > b else 1, GoodbyeCode.DUPLICATE)]


def test_another_host_with_a_copied_nonce_is_not_taken_for_the_same_node() -> None:
    node = Node()
    first, second = node.open(public(1), 0), node.open(public(2), 0, inbound=True)
    assert node.ready(first, 0, nonce=5)
    assert node.ready(second, 0, nonce=5)
    assert node.wire.ended() == []


def test_nodes_behind_one_host_are_told_apart_by_their_nonces() -> None:
    node = Node()
    first, second = node.open(public(1), 0), node.open(public(1), 0, inbound=True)
    assert node.ready(first, 0, nonce=5)
    assert node.ready(second, 0, nonce=6)
    assert node.wire.ended() == []


def test_a_manual_address_of_a_node_met_otherwise_is_not_dialled_while_that_lasts() -> None:
    """The node listens on two ports; we hold one open and are asked to hold the other."""
    node = Node(public(1, 1))
    node.run(0, 0)
    first = node.open(public(1, 1), 0)
    assert node.ready(first, 0, nonce=5)
    node.slots.add_manual(Endpoint(public(1, 2)), at(1))
    node.run(1, 1)
    second = node.open(public(1, 2), 1)
    assert not node.ready(second, 1, nonce=5)
    assert node.wire.ended() == [(second.peer_id, GoodbyeCode.DUPLICATE)]
    node.close(second, 1)
    assert node.run(1, 1000) == []
    node.close(first, 1000)
    assert {address for _, address in node.run(1000, 1010)} == {public(1, 1), public(1, 2)}


def test_a_peer_met_by_chance_becomes_manual_when_the_operator_asks_for_it() -> None:
    node = Node()
    node.addresses.add(public(1, 1), at(0))
    node.run(0, 0)
    first = node.open(public(1, 1), 0)
    assert node.ready(first, 0, nonce=5)
    node.slots.add_manual(Endpoint(public(1, 2)), at(1))
    node.run(1, 1)
    assert not node.ready(node.open(public(1, 2), 1), 1, nonce=5)
    assert first.manual


def test_the_side_that_was_dialled_twice_leaves_it_to_the_other() -> None:
    node = Node()
    first, second = node.open(public(1, 5001), 0, inbound=True), node.open(public(1, 5002), 0, inbound=True)
    assert node.ready(first, 0, nonce=5)
    assert node.ready(second, 0, nonce=5)
    assert node.wire.ended() == []


# --- identities


@pytest.mark.parametrize(
    ("identities", "nonces", "hosts", "is_same"),
    [
        ((BOB, BOB), (5, 6), (1, 2), True),
        ((BOB, MALLORY), (5, 5), (1, 1), False),
        ((BOB, None), (5, 5), (1, 1), False),
        ((None, BOB), (5, 5), (1, 1), False),
        ((None, None), (5, 5), (1, 1), True),
    ],
)
def test_who_has_proved_an_identity_is_known_by_that_alone(
    identities: tuple[PeerId | None, PeerId | None], nonces: tuple[int, int], hosts: tuple[int, int], is_same: bool
) -> None:
    node = Node()
    admitted = []
    for identity, nonce, host in zip(identities, nonces, hosts, strict=True):
        peer = node.open(public(host), 0)
        channel = PlainChannel()
        channel.remote = identity
        peer.channel = channel
        admitted.append(node.ready(peer, 0, nonce=nonce))
    assert admitted == [True, not is_same]
    assert node.wire.ended() == ([(2, GoodbyeCode.DUPLICATE)] if is_same else [])
