"""Orphan transfers and early blocks: what is kept, in what order it is evicted, and that the pools stay small."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.header import Header, new_header
from pychain.chain.transaction import Transfer
from pychain.ledger.waiting import EarlyBlock, EarlyBlocks, WaitingTransfers
from tests.ledger.pool_model import key, transfer

MAX_OF_ONE = 64
MAX_PER_PEER = 256
MAX_PER_SEQUENCE = 4
MAX_TRANSFERS = 2_000
MAX_BLOCKS = 64
FUTURE_S = 100
NOW = 1_700_000_000


# --- transfers


def taken(room: WaitingTransfers, sender: bytes, sequence: int) -> list[tuple[Transfer, int | None]]:
    return [(waiting.transfer, waiting.peer) for waiting in room.take(sender, sequence)]


def test_a_transfer_waits_for_its_turn() -> None:
    room = WaitingTransfers()
    early = transfer(key(1), 3, 10)
    room.add(early, 7)
    assert early.txid in room
    assert len(room) == 1
    assert room.senders_among([key(2), key(1)]) == [key(1)]
    assert taken(room, key(1), 2) == taken(room, key(2), 3) == []
    assert taken(room, key(1), 3) == [(early, 7)]
    assert taken(room, key(1), 3) == []
    assert early.txid not in room
    assert (len(room), room.senders_among([key(1)])) == (0, [])


def test_a_peer_has_one_place_for_a_sequence() -> None:
    """And there are few places per sequence, however many peers send forged ones; a second one of a peer is ignored."""
    room = WaitingTransfers()
    competing = [transfer(key(1), 3, fee) for fee in range(MAX_PER_SEQUENCE + 2)]
    room.add(competing[0], 1)
    room.add(competing[1], 1)
    room.add(competing[0], 2)
    for peer, other in enumerate(competing[2:], 2):
        room.add(other, peer)
    expected = [(competing[0], 1), (competing[2], 2), (competing[3], 3), (competing[4], 4)]
    assert len(room) == len(expected) == MAX_PER_SEQUENCE
    assert taken(room, key(1), 3) == expected


def test_an_account_has_its_share_and_no_more() -> None:
    room = WaitingTransfers()
    for sequence in range(MAX_OF_ONE + 1):
        room.add(transfer(key(1), sequence, 1), None)
    room.add(transfer(key(1), 0, 2), 1)
    room.add(transfer(key(2), 0, 1), None)
    assert len(room) == MAX_OF_ONE + 2
    assert taken(room, key(1), MAX_OF_ONE) == []


def test_our_own_are_bounded_by_the_pool_alone() -> None:
    room = WaitingTransfers()
    for number in range(MAX_TRANSFERS + 1):
        room.add(transfer(key(number), 1, 1), None)
    assert len(room) == MAX_TRANSFERS
    assert room.senders_among([key(0), key(1)]) == [key(1)]


def test_a_peer_evicts_its_own_oldest() -> None:
    room = WaitingTransfers()
    others = transfer(key(1), 5, 1)
    room.add(others, 2)
    flood = [transfer(key(number + 10), 1, 1) for number in range(MAX_PER_PEER + 3)]
    for each in flood:
        room.add(each, 1)
    assert len(room) == MAX_PER_PEER + 1
    assert others.txid in room
    assert [each.txid in room for each in flood[:4]] == [False, False, False, True]


def test_the_oldest_of_all_makes_room() -> None:
    room = WaitingTransfers()
    old = [transfer(key(number), sequence, 1) for number in (1, 2) for sequence in (5, 6)]
    for each in old:
        room.add(each, 1)
    for number in range(MAX_TRANSFERS - 2):
        room.add(transfer(key(number + 10), 1, 1), 2 + number // MAX_PER_PEER)
        assert len(room) <= MAX_TRANSFERS
    assert [each.txid in room for each in old] == [False, False, True, True]
    assert room.senders_among([key(1), key(2)]) == [key(2)]


def test_what_is_past_is_forgotten() -> None:
    room = WaitingTransfers()
    for sequence in (3, 4, 5, 7):
        room.add(transfer(key(1), sequence, 1), 1)
    room.add(transfer(key(1), 4, 2), 2)
    room.add(transfer(key(2), 3, 1), 1)
    room.forget_used(key(1), 5)
    room.forget_used(key(3), 5)
    assert len(room) == 3
    assert taken(room, key(1), 4) == []
    assert len(taken(room, key(1), 5)) == 1
    room.forget_used(key(1), 99)
    assert room.senders_among([key(1), key(2)]) == [key(2)]


@given(st.integers(0, 2**32))
def test_waiting_agrees_with_a_list(seed: int) -> None:
    """Below the bounds of an account and of the pool, which have their own tests."""
    random = Random(seed)
    room = WaitingTransfers()
    kept: list[tuple[Transfer, int]] = []
    for mark in range(300):
        sender, sequence, peer = key(random.randrange(1, 4)), random.randrange(6), random.randrange(6)
        places = [(other, of) for other, of in kept if (other.sender, other.sequence) == (sender, sequence)]
        match random.choice(["add", "add", "add", "again", "take", "past"]):
            case "add":
                new = transfer(sender, sequence, 1, mark=mark)
                room.add(new, peer)
                if len(places) < MAX_PER_SEQUENCE and all(of != peer for _, of in places):
                    kept.append((new, peer))
            case "again":
                for other, _ in places:
                    room.add(other, peer)
            case "take":
                assert taken(room, sender, sequence) == places
                kept = [each for each in kept if each not in places]
            case "past":
                room.forget_used(sender, sequence)
                kept = [(other, of) for other, of in kept if other.sender != sender or other.sequence >= sequence]
        assert len(room) == len(kept)
        assert all(other.txid in room for other, _ in kept)
        senders = [key(number) for number in range(5)]
        assert room.senders_among(senders) == [s for s in senders if any(other.sender == s for other, _ in kept)]


# --- blocks


def header(time: int, nonce: int = 0) -> Header:
    return new_header(1, bytes(32), bytes(32), time, 0x207FFFFF, nonce)


def early(time: int, nonce: int = 0, raw: bytes | None = None) -> EarlyBlock:
    return EarlyBlock(header(time, nonce), 1, raw)


def test_an_early_block_comes_up_when_its_time_has_come() -> None:
    room = EarlyBlocks(FUTURE_S)
    later, sooner = early(NOW + 150), early(NOW + 120)
    assert room.next_wall_s() is None
    assert room.set_aside(later, NOW)
    assert room.set_aside(sooner, NOW)
    assert room.next_wall_s() == NOW + 20
    assert room.due(NOW + 19) == []
    assert room.due(NOW + 20) == [sooner]
    assert room.next_wall_s() == NOW + 50
    assert room.set_aside(sooner, NOW)
    assert room.due(NOW + 500) == [sooner, later]
    assert len(room) == 0


def test_too_far_ahead_is_not_kept() -> None:
    room = EarlyBlocks(FUTURE_S)
    assert room.set_aside(early(NOW + 2 * FUTURE_S), NOW)
    assert not room.set_aside(early(NOW + 2 * FUTURE_S + 1), NOW)
    assert len(room) == 1


def test_a_full_pool_keeps_no_more_but_completes_what_it_has() -> None:
    room = EarlyBlocks(FUTURE_S)
    for nonce in range(MAX_BLOCKS):
        assert room.set_aside(early(NOW + 150, nonce), NOW)
    assert not room.set_aside(early(NOW + 150, MAX_BLOCKS), NOW)
    assert room.set_aside(early(NOW + 150, 5, b"body"), NOW)
    assert room.set_aside(early(NOW + 150, 5), NOW)
    assert len(room) == MAX_BLOCKS
    (body,) = [each.raw for each in room.due(NOW + 50) if each.raw is not None]
    assert body == b"body"
