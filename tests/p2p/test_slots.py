"""Slots: which peers we dial and when, which we accept, and which are evicted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.p2p.endpoint import Endpoint, PeerId
from pychain.p2p.messages import Goodbye, GoodbyeCode
from pychain.p2p.misbehaviour import Offence, parse_network
from pychain.p2p.netaddress import AddressError, NetAddress
from pychain.p2p.peer import Peer
from tests.p2p.recording import START_S, at, make_hello, make_peer
from tests.p2p.slot_node import Node, public

BOB = PeerId("B" * 8)


# --- manual addresses


def test_manual_addresses_are_dialled_at_once_and_for_ever_with_growing_pauses() -> None:
    node = Node(public(1))
    moments = []
    moment = 0.0
    for _ in range(12):
        ((when, address),) = node.run(moment, moment + 100)
        assert address == public(1)
        moments.append(when)
        moment = when
        node.slots.dial_failed(public(1), at(moment))
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    for pause, mean in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30], strict=True):
        assert mean / 2 <= pause <= 1.5 * mean + 0.001


def test_a_long_connection_resets_the_backoff() -> None:
    node = Node(public(1))
    node.run(0, 0)
    for _ in range(8):
        node.slots.dial_failed(public(1), at(0))
        node.run(0, 100)
    peer = node.open(public(1), 100)
    assert peer.manual
    node.ready(peer, 100)
    node.close(peer, 131)
    ((when, _),) = node.run(131, 200)
    assert when - 131 <= 1.6


def test_a_connection_that_ends_at_once_counts_as_a_failure() -> None:
    node = Node(public(1))
    moment = 0.0
    for _ in range(6):
        ((moment, _),) = node.run(moment, moment + 100)
        peer = node.open(public(1), moment)
        node.ready(peer, moment)
        node.close(peer, moment)
    deadline = node.slots.deadline()
    assert deadline is not None
    assert deadline / 1e9 - moment > 7


def test_a_manual_address_keeps_its_pauses_though_the_table_has_it() -> None:
    node = Node(public(1))
    node.addresses.add(public(1), at(0))
    node.run(0, 0)
    node.slots.dial_failed(public(1), at(0))
    assert node.run(0, 0.49) == []


def test_the_operator_adds_and_removes_addresses() -> None:
    node = Node(connect_only=True)
    assert node.slots.deadline() is None
    node.slots.add_manual(Endpoint(public(1)), at(5))
    node.slots.add_manual(Endpoint(public(1)), at(5))
    assert [address for _, address in node.run(5, 5)] == [public(1)]
    assert node.slots.manual == (Endpoint(public(1)),)
    peer = node.join(public(1), 5)
    assert peer.manual
    assert node.slots.remove_manual(public(1))
    assert not node.slots.remove_manual(public(1))
    assert not peer.manual
    assert peer.is_open
    node.close(peer, 6)
    assert node.run(6, 100) == []


def test_an_address_added_while_connected_makes_that_peer_manual() -> None:
    node = Node()
    inbound = node.join(NetAddress(public(1).host, 5555), 0, inbound=True)
    node.slots.add_manual(Endpoint(public(1)), at(1))
    assert inbound.manual
    assert node.run(1, 100) == []
    node.close(inbound, 100)
    assert [address for _, address in node.run(100, 110)] == [public(1)]


def test_manual_addresses_are_bounded() -> None:
    node = Node(*map(public, range(64)))
    with pytest.raises(AddressError, match="64 addresses"):
        node.slots.add_manual(Endpoint(public(99)), at(0))


def test_a_manual_endpoint_is_dialled_with_the_peer_id_that_is_expected_there() -> None:
    endpoint = Endpoint(public(1), BOB)
    node = Node(endpoint, connect_only=True)
    node.slots.poll(at(0))
    assert node.wire.take_dialled() == [endpoint]
    node.slots.dial_failed(public(1), at(0))
    node.slots.poll(at(2))
    assert node.wire.take_dialled() == [endpoint]
    assert node.slots.manual == (endpoint,)
    assert node.slots.is_manual(public(1))
    node.slots.add_manual(Endpoint(public(1)), at(2))
    assert node.slots.manual == (endpoint,), "an address is held once"


def test_a_single_dial_names_the_peer_id_that_is_expected() -> None:
    node = Node()
    node.slots.dial_once(Endpoint(public(1), BOB))
    assert node.wire.take_dialled() == [Endpoint(public(1), BOB)]


def test_a_single_dial_is_not_repeated() -> None:
    node = Node()
    node.slots.dial_once(Endpoint(public(1)))
    node.slots.dial_once(Endpoint(public(1)))
    assert node.wire.take_dialled() == [Endpoint(public(1))]
    node.slots.dial_failed(public(1), at(0))
    assert node.run(0, 100) == []


# --- filling the automatic slots


def test_eight_slots_are_filled_quickly_from_distinct_groups() -> None:
    node = Node()
    for number in range(100):
        node.addresses.add(NetAddress(f"20.{number % 12}.0.{number + 1}", 30700), at(0))
    dials = node.run(0, 10)
    assert len(dials) == 8
    assert dials[-1][0] < 1
    assert len({address.netgroup for _, address in dials}) == 8
    for _, address in dials:
        node.join(address, 1)
    assert node.run(1, 1000) == []


def test_a_lost_peer_is_replaced() -> None:
    node = Node(max_outbound=2)
    for number in range(10):
        node.addresses.add(public(number), at(0))
    peers = [node.join(address, 1) for _, address in node.run(0, 1)]
    node.close(peers[0], 5)
    assert len(node.run(5, 6)) == 1


def test_a_slot_is_filled_in_time_when_the_operator_wants_the_peer_that_was_dialled_for_it() -> None:
    """A manual connection does not count as automatic, as soon as it is open."""
    node = Node(max_outbound=1)
    wakes: list[int] = []
    node.slots.wakes_by(wakes.append)
    for number in (1, 2):
        node.addresses.add(public(number), at(0))
    ((_, dialled),) = node.run(0, 0)
    node.slots.add_manual(Endpoint(dialled), at(0))
    assert node.run(0, 1) == []
    wakes.clear()
    assert node.open(dialled, 1).manual
    deadline = node.slots.deadline()
    assert deadline is not None
    assert wakes
    assert min(wakes) <= deadline


def test_local_addresses_are_exempt_from_distinct_groups() -> None:
    node = Node()
    for port in range(1, 20):
        node.addresses.add(NetAddress("127.0.0.1", port), at(0))
    assert len(node.run(0, 10)) == 8


def test_failed_dials_go_on_to_other_addresses() -> None:
    node = Node()
    for number in range(8):
        node.addresses.add(public(number), at(0))
    for _, address in node.run(0, 5):
        node.slots.dial_failed(address, at(5))
    assert node.run(5, 9.5) == []
    again = node.run(9.5, 30)
    assert {address for _, address in again} == {public(number) for number in range(8)}


def test_an_empty_table_asks_for_no_deadline_and_news_wake_it() -> None:
    node = Node()
    assert node.slots.deadline() is None
    node.addresses.add(public(1), at(50))
    assert [address for _, address in node.run(50, 51)] == [public(1)]
    node.slots.dial_failed(public(1), at(51))
    assert node.run(51, 52) == []
    node.addresses.add(public(2), at(52))
    assert [address for _, address in node.run(52, 53)] == [public(2)], "not only at the next idle look"


def test_connect_only_dials_nothing_else() -> None:
    node = Node(public(1), connect_only=True)
    for number in range(10):
        node.addresses.add(public(number), at(0))
    assert [address for _, address in node.run(0, 0.5)] == [public(1)]


def test_who_is_met_banned_or_discouraged_is_not_dialled() -> None:
    node = Node()
    inbound = node.join(NetAddress(public(1).host, 5555), 0, inbound=True)
    assert inbound.listen_address == public(1)
    node.misbehaviour.ban(parse_network("20.2.0.0/16"), START_S + 1000, at(0))
    node.misbehaviour.offend(make_peer(99, public(3).host, hello=make_hello()), Offence.INVALID_BLOCK, "", at(0))
    for number in range(1, 5):
        node.addresses.add(public(number), at(0))
    assert [address for _, address in node.run(0, 5)] == [public(4)]


@pytest.mark.parametrize("told_by", ["us", "them"])
def test_we_dial_ourselves_once(told_by: str) -> None:
    node = Node()
    node.addresses.add(public(1), at(0))
    node.run(0, 1)
    peer = node.open(public(1), 1)
    if told_by == "us":
        node.wire.hang_up(peer.peer_id, GoodbyeCode.SELF_CONNECTION, "")
    else:
        peer.goodbye_received = Goodbye(GoodbyeCode.SELF_CONNECTION, "")
    node.close(peer, 1)
    assert public(1) not in node.addresses
    node.addresses.add(public(1), at(2))
    assert node.run(2, 10_000) == []


def test_own_addresses_of_the_operator_are_not_dialled_again() -> None:
    node = Node(public(1))
    node.run(0, 0)
    peer = node.open(public(1), 0)
    node.wire.hang_up(peer.peer_id, GoodbyeCode.SELF_CONNECTION, "")
    node.close(peer, 0)
    assert node.run(0, 10_000) == []


# --- inbound


def fill(node: Node, count: int) -> list[Peer]:
    """Inbound peers that delivered nothing, all in different groups."""
    return [node.join(public(number), number, inbound=True) for number in range(count)]


def test_a_full_house_evicts_one_for_each_newcomer() -> None:
    node = Node(max_inbound=20)
    fill(node, 20)
    for number in range(100, 110):
        assert node.join(public(number), number, inbound=True).is_open
    assert [code for _, code in node.wire.ended()] == [GoodbyeCode.EVICTED] * 10
    assert sum(peer.is_open for peer in node.wire.peers.values()) == 20


def test_the_oldest_half_is_safe_from_a_flood() -> None:
    node = Node(max_inbound=20)
    old = fill(node, 20)
    for number in range(500):
        node.open(NetAddress(f"200.1.{number // 250}.{number % 250}", 1), 100 + number, inbound=True)
    assert all(peer.is_open for peer in old[:10])
    assert sum(peer.is_open for peer in old) >= 10


def test_banned_hosts_are_refused() -> None:
    node = Node()
    node.misbehaviour.ban(parse_network("20.0.0.0/8"), START_S + 1000, at(0))
    peer = node.open(public(1), 0, inbound=True)
    assert node.wire.ended() == [(peer.peer_id, GoodbyeCode.BANNED)]


def test_discouraged_hosts_get_free_slots_only_and_go_first() -> None:
    node = Node(max_inbound=3)
    peers = fill(node, 2)
    node.misbehaviour.offend(make_peer(99, public(50).host, hello=make_hello()), Offence.INVALID_BLOCK, "", at(0))
    node.wire.hung_up.clear()
    bad = node.open(public(50), 10, inbound=True)
    assert bad.is_open
    node.open(public(60), 11, inbound=True)
    assert node.wire.ended() == [(bad.peer_id, GoodbyeCode.EVICTED)]
    worse = node.open(public(50), 12, inbound=True)
    assert node.wire.ended()[1:] == [(worse.peer_id, GoodbyeCode.TOO_MANY_PEERS)]
    assert all(peer.is_open for peer in peers)


def test_with_no_slot_everybody_is_refused_with_the_reason() -> None:
    node = Node(max_inbound=0)
    peer = node.open(public(1), 0, inbound=True)
    assert node.wire.hung_up == [(peer.peer_id, GoodbyeCode.TOO_MANY_PEERS, "all 0 inbound slots are taken")]


# --- any order of events


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(0, 30)), max_size=60),
    st.integers(0, 2**64 - 1),
)
def test_limits_hold_and_runs_repeat(steps: list[tuple[int, int, int]], seed: int) -> None:
    def play() -> list[object]:
        node = Node(public(90), max_inbound=5, max_outbound=3, seed=seed)
        pending: list[NetAddress] = []
        moment = 0.0
        log: list[object] = []
        for action, number, gap in steps:
            moment += gap / 10
            peers = list(node.wire.peers.values())
            match action:
                case 0:
                    node.addresses.add(public(number), at(moment))
                case 1 if pending:
                    node.join(pending.pop(number % len(pending)), moment)
                case 2 if pending:
                    node.slots.dial_failed(pending.pop(number % len(pending)), at(moment))
                case 3:
                    node.join(NetAddress(public(number).host, 50_000 + gap), moment, inbound=True)
                case 4 if peers:
                    node.close(peers[number % len(peers)], moment)
                case _:
                    node.slots.poll(at(moment))
            pending += [endpoint.address for endpoint in node.wire.take_dialled()]
            opened = [peer for peer in node.wire.peers.values() if peer.is_open]
            assert sum(peer.inbound for peer in opened) <= 5 + sum(peer.manual for peer in opened)
            automatic = [peer for peer in opened if not peer.inbound and not peer.manual]
            assert len(automatic) + len([address for address in pending if address != public(90)]) <= 3
            assert len(pending) == len(set(pending))
            log.append((pending.copy(), node.wire.ended(), node.slots.deadline()))
        return log

    assert play() == play()
