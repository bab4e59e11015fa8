"""Eviction: useful peers are protected, and the largest network group loses a peer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.p2p.eviction import choose_victim
from pychain.p2p.peer import Peer
from tests.p2p.recording import at, make_hello, make_peer


def nobody(peer: Peer) -> bool:
    return False


def crowd(count: int, host: str = "20.{}.0.1") -> list[Peer]:
    """Peers of different groups, number 0 the oldest."""
    return [
        make_peer(number, host.format(number), inbound=True, now=at(number), hello=make_hello())
        for number in range(count)
    ]


def test_nobody_is_nobody() -> None:
    assert choose_victim([], nobody) is None


def test_the_youngest_of_the_largest_group_goes() -> None:
    peers = crowd(12)
    peers += [
        make_peer(100 + number, f"200.1.0.{number}", inbound=True, now=at(50 + number), hello=make_hello())
        for number in range(3)
    ]
    peers.append(make_peer(200, "201.1.0.1", inbound=True, now=at(99), hello=make_hello()))
    victim = choose_victim(peers, nobody)
    assert victim is not None
    assert victim.peer_id == 102


@pytest.mark.parametrize("merit", ["ping", "block", "transaction"])
def test_the_four_with_the_best_merit_are_safe(merit: str) -> None:
    peers = crowd(20)
    for rank, peer in enumerate(reversed(peers)):  # the youngest are the best, so nothing else saves them
        match merit:
            case "ping":
                peer.round_trip.measured(1000 + rank)
            case "block":
                peer.last_block_ns = 1000 - rank
            case _:
                peer.last_transaction_ns = 1000 - rank
    victim = choose_victim(peers, nobody)
    assert victim is not None
    assert victim.peer_id == 15


def test_the_older_half_is_safe_even_in_the_largest_group() -> None:
    old = crowd(6, host="200.1.0.{}")
    young = [
        make_peer(100 + number, f"20.{number}.0.1", inbound=True, now=at(100 + number), hello=make_hello())
        for number in range(6)
    ]
    victim = choose_victim(old + young, nobody)
    assert victim is young[-1]


def test_discouraged_ones_go_first_and_manual_ones_never() -> None:
    peers = crowd(10)
    victim = choose_victim(peers, lambda peer: peer.peer_id in (2, 3))
    assert victim is peers[3]
    for peer in peers:
        peer.manual = True
    assert choose_victim(peers, lambda peer: peer.peer_id in (2, 3)) is None


@given(st.permutations(range(12)))
def test_the_choice_does_not_depend_on_the_order_of_asking(order: list[int]) -> None:
    peers = crowd(6) + [
        make_peer(10 + number, f"200.1.0.{number}", inbound=True, now=at(7), hello=make_hello()) for number in range(6)
    ]
    assert choose_victim([peers[number] for number in order], nobody) is choose_victim(peers, nobody)
