"""Relay: each object is announced once to peers that do not know it, transactions delayed, blocks at once."""

from __future__ import annotations

from collections.abc import Container, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.entropy import Random
from pychain.p2p.messages import FeeFilter, Fields, Headers, Inv, Kind
from pychain.p2p.peer import Peer
from pychain.p2p.relay import NewBlock, RelayManager
from tests.p2p.recording import RecordingWire, at, digest, make_hello, make_peer

TX, BLOCK = Kind.TRANSACTION, Kind.BLOCK


class Pool:
    """An inventory that can be told what it has."""

    def __init__(self, has: Iterable[bytes] = ()) -> None:
        self.held = dict.fromkeys(has)

    def lacking(self, kind: Kind, hashes: Iterable[bytes]) -> list[bytes]:
        return [object_hash for object_hash in hashes if object_hash not in self.held]


def setup(
    peers: int = 3, *, inbound: bool = False, held: int = 0, seed: int = 1
) -> tuple[RecordingWire, RelayManager, Pool]:
    wire = RecordingWire()
    pool = Pool(map(digest, range(held)))
    relay = RelayManager(wire, Random(seed), pool)
    for peer_id in range(1, peers + 1):
        relay.peer_ready(a_peer(peer_id, inbound=inbound), at(0))
    return wire, relay, pool


def a_peer(peer_id: int, *, inbound: bool = False) -> Peer:
    return make_peer(peer_id, inbound=inbound, hello=make_hello())


def announced(wire: RecordingWire, peer_id: int) -> list[bytes]:
    return [txid for inv in wire.sent_to(peer_id, Inv) for txid in inv.hashes]


def run(relay: RelayManager) -> None:
    """Fire timers until none is left."""
    while (deadline := relay.deadline()) is not None:
        relay.poll(at(deadline / 1e9 + 1e-6))


def new_blocks(first: int, count: int) -> list[NewBlock]:
    return [NewBlock(digest(number), number.to_bytes(80, "big")) for number in range(first, first + count)]


def test_a_transaction_goes_once_to_each_peer_who_does_not_know_it() -> None:
    wire, relay, _ = setup(held=1)
    relay.learned(2, TX, [digest(0)])
    for _ in range(3):
        relay.announce_transactions([(digest(0), 1000)], at(0))
        run(relay)
    assert [announced(wire, peer) for peer in (1, 2, 3)] == [[digest(0)], [], [digest(0)]]


def test_transactions_wait_and_go_together_in_order() -> None:
    wire, relay, _ = setup(peers=1, held=50)
    for number in range(50):
        relay.announce_transactions([(digest(number), 1000)], at(0))
    assert wire.sent == []
    run(relay)
    (inv,) = wire.sent_to(1, Inv)
    assert inv == Inv(TX, tuple(map(digest, range(50))))


def test_inv_messages_are_bounded_and_the_rest_follows() -> None:
    wire, relay, _ = setup(peers=1, held=2500)
    for number in range(2500):
        relay.announce_transactions([(digest(number), 1000)], at(0))
    run(relay)
    assert [len(inv.hashes) for inv in wire.sent_to(1, Inv)] == [1000, 1000, 500]
    assert announced(wire, 1) == list(map(digest, range(2500)))


@pytest.mark.parametrize("together", [1, 500, 10_500])
def test_what_waits_to_be_told_is_bounded(together: int) -> None:
    """The oldest are not announced; a peer that connects meanwhile hears of later ones only."""
    wire, relay, _ = setup(peers=1, held=45_000)
    for first in range(0, 10_500, together):
        relay.announce_transactions([(digest(number), 1000) for number in range(first, first + together)], at(0))
    relay.peer_ready(a_peer(2), at(0))
    run(relay)
    assert announced(wire, 1) == list(map(digest, range(500, 10_500)))
    assert announced(wire, 2) == []
    for number in range(10_500, 45_000):
        relay.announce_transactions([(digest(number), 1000)], at(1))
    run(relay)
    assert announced(wire, 1)[10_000:] == announced(wire, 2) == list(map(digest, range(35_000, 45_000)))


def test_a_full_message_goes_at_once() -> None:
    wire, relay, _ = setup(peers=2, held=1000)
    relay.announce_transactions([(digest(number), 1000) for number in range(999)], at(0))
    relay.poll(at(0))
    assert wire.sent == []
    relay.announce_transactions([(digest(999), 1000)], at(0))
    relay.poll(at(0))
    assert wire.sent == [(peer, Inv(TX, tuple(map(digest, range(1000))))) for peer in (1, 2)]
    assert relay.deadline() is None


@pytest.mark.parametrize(("inbound", "mean_s"), [(False, 0.2), (True, 0.5)])
def test_peers_hear_at_different_times_with_the_documented_mean(inbound: bool, mean_s: float) -> None:
    _, relay, _ = setup(peers=2000, inbound=inbound, held=1)
    relay.announce_transactions([(digest(0), 1000)], at(0))
    waits = []
    while (deadline := relay.deadline()) is not None:
        waits.append(deadline / 1e9)
        relay.poll(at(deadline / 1e9 + 1e-9))
    assert abs(sum(waits) / 2000 - mean_s) < 0.14 * mean_s  # six standard errors of a mean of 2,000


@pytest.mark.parametrize("event", ["it announced it", "it left the mempool", "it filters it now"])
def test_what_events_overtook_is_not_announced(event: str) -> None:
    wire, relay, pool = setup(peers=1, held=2)
    relay.announce_transactions([(digest(0), 1000)], at(0))
    relay.announce_transactions([(digest(1), 2000)], at(0))
    match event:
        case "it announced it":
            relay.on_inv(1, Inv(TX, (digest(0),)))
        case "it left the mempool":
            del pool.held[digest(0)]
        case _:
            relay.on_fee_filter(a_peer(1), FeeFilter(1001), at(0))
    run(relay)
    assert announced(wire, 1) == [digest(1)]


def test_cheap_transactions_are_not_announced_to_who_filters_them() -> None:
    wire, relay, _ = setup(peers=2, held=2)
    relay.on_fee_filter(a_peer(1), FeeFilter(1000), at(0))
    relay.announce_transactions([(digest(0), 999)], at(0))
    relay.announce_transactions([(digest(1), 1000)], at(0))
    run(relay)
    assert announced(wire, 1) == [digest(1)]
    assert announced(wire, 2) == [digest(0), digest(1)]


def test_an_inv_returns_what_we_lack_once_and_in_order() -> None:
    _, relay, _ = setup(held=2)
    hashes = tuple(map(digest, (5, 0, 4, 5, 1, 3)))
    assert relay.on_inv(1, Inv(TX, hashes)) == [digest(5), digest(4), digest(3)]
    assert relay.on_inv(99, Inv(TX, hashes)) == []


def test_who_announced_an_object_is_not_told_of_it_and_all_others_are() -> None:
    wire, relay, pool = setup(peers=2)
    hashes = list(map(digest, range(6)))
    relay.on_inv(1, Inv(TX, tuple(hashes)))
    pool.held.update(dict.fromkeys(hashes))
    relay.announce_transactions([(txid, 1000) for txid in hashes], at(0))
    run(relay)
    assert announced(wire, 1) == []
    assert announced(wire, 2) == hashes
    relay.announce_blocks([NewBlock(hashes[5], bytes(80))])
    assert wire.sent_to(1, Headers) == [Headers((bytes(80),))], "it announced a transaction, not a block"


def test_a_new_tip_goes_at_once_as_a_header() -> None:
    wire, relay, _ = setup()
    (block,) = new_blocks(1, 1)
    relay.learned(1, BLOCK, [block.block_hash])
    relay.announce_blocks([block])
    relay.announce_blocks([block])
    assert wire.sent == [(2, Headers((block.header,))), (3, Headers((block.header,)))]


def test_a_short_branch_goes_as_headers_after_the_last_that_the_peer_has() -> None:
    wire, relay, _ = setup(peers=3)
    blocks = new_blocks(1, 8)
    relay.learned(2, BLOCK, [blocks[1].block_hash])
    relay.learned(3, BLOCK, [blocks[7].block_hash])
    relay.announce_blocks(blocks)
    assert wire.sent_to(1, Headers) == [Headers(tuple(block.header for block in blocks))]
    assert wire.sent_to(2, Headers) == [Headers(tuple(block.header for block in blocks[2:]))]
    assert wire.sent_to(3, Headers) == []


def test_a_long_branch_goes_as_the_hash_of_its_tip() -> None:
    wire, relay, _ = setup(peers=1)
    blocks = new_blocks(1, 9)
    relay.announce_blocks(blocks)
    assert wire.sent == [(1, Inv(BLOCK, (blocks[-1].block_hash,)))]


def test_a_closed_peer_is_forgotten() -> None:
    wire, relay, _ = setup(peers=2, held=1)
    relay.announce_transactions([(digest(0), 1)], at(0))
    relay.peer_closed(a_peer(1), at(0))
    relay.learned(1, TX, [digest(1)])
    relay.on_fee_filter(a_peer(1), FeeFilter(5), at(0))
    assert relay.on_inv(1, Inv(TX, (digest(1),))) == []
    relay.announce_blocks(new_blocks(1, 1))
    run(relay)
    assert {peer_id for peer_id, _ in wire.sent} == {2}


events = st.lists(
    st.tuples(st.sampled_from(("announce", "inv", "learn", "filter", "wait")), st.integers(1, 2), st.integers(0, 3)),
    max_size=40,
)


def check_told(sent: Iterable[tuple[int, Fields]], told_us: Container[tuple[int, bytes]]) -> None:
    for receiver, message in sent:
        assert isinstance(message, Inv)
        assert all((receiver, txid) not in told_us for txid in message.hashes)


@given(events)
def test_nothing_is_told_twice_or_to_who_told_us(steps: list[tuple[str, int, int]]) -> None:
    wire, relay, _ = setup(held=9)
    told_us: dict[tuple[int, bytes], None] = {}
    moment = 0.0
    for action, peer_id, number in steps:
        moment += 0.01
        before = len(wire.sent)
        match action:
            case "announce":
                relay.announce_transactions([(digest(number), 1000)], at(moment))
            case "inv":
                relay.on_inv(peer_id, Inv(TX, (digest(number),)))
                told_us[(peer_id, digest(number))] = None
            case "learn":
                relay.learned(peer_id, TX, [digest(number)])
                told_us[(peer_id, digest(number))] = None
            case "filter":
                relay.on_fee_filter(a_peer(peer_id), FeeFilter(number), at(moment))
            case _:
                moment += number / 4
                relay.poll(at(moment))
        check_told(wire.sent[before:], told_us)
    before = len(wire.sent)
    run(relay)
    check_told(wire.sent[before:], told_us)
    for peer_id in (1, 2):
        told = announced(wire, peer_id)
        assert len(told) == len(set(told))
