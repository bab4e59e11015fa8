"""Fee estimates: from recent blocks, and from the mempool."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.block import Block, new_block
from pychain.chain.header import new_header
from pychain.chain.transaction import Transfer, new_coinbase, new_transfer, transfer_body
from pychain.ledger.feerates import Offer, block_floor, offers_of, overtaking_rate, recent_rate
from pychain.ledger.pending import Pending

RELAY = 1_000


def transfer(fee: int, memo: int = 45) -> Transfer:
    """Of 200 bytes by default."""
    return new_transfer(transfer_body(bytes(32), 0, bytes(32), 0, fee, bytes(memo)), bytes(64))


def block(fees: list[int]) -> Block:
    coinbase = new_coinbase(1, bytes(32), 0, bytes(32))
    return new_block(new_header(1, bytes(32), bytes(32), 0, 0x207FFFFF, 0), (coinbase, *map(transfer, fees)))


def test_a_block_with_room_took_whoever_paid_the_relay_fee() -> None:
    assert block_floor(block([]), 10_000, RELAY) == RELAY
    assert block_floor(block([10**6] * 40), 10_000, RELAY) == RELAY


def test_a_full_block_tells_its_cheapest_rate_but_for_the_last_twentieth() -> None:
    fees = [1, 300, *[400 + place for place in range(48)]]
    full = block(fees)
    assert len(full.raw) > 10_000 * 0.9
    # A twentieth of 50 transfers are two and a half: the third cheapest is the first that counts.
    assert block_floor(full, 10_000, RELAY) == 400 * 1000 // 200
    assert block_floor(full, 10_000, 10**6) == 10**6, "and never less than the relay fee"


def test_within_one_block_the_dearest_counts_and_within_many_the_cheapest() -> None:
    floors = [5, 9, 7, 2, 3]
    assert [recent_rate(floors, target, 1) for target in (1, 2, 3, 4, 5, 100)] == [9, 7, 5, 2, 2, 2]
    assert recent_rate([], 3, RELAY) == RELAY


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30), st.integers(1, 40))
def test_the_recent_rate_would_have_been_mined_whenever_it_had_been_sent(floors: list[int], target: int) -> None:
    rate = recent_rate(floors, target, 0)
    starts = range(len(floors) - target + 1) if target < len(floors) else [0]
    assert all(any(floor <= rate for floor in floors[start : start + target]) for start in starts)
    if rate:
        assert not all(any(floor < rate for floor in floors[start : start + target]) for start in starts)


def test_in_an_empty_mempool_there_is_nobody_to_overtake() -> None:
    assert overtaking_rate([], 1000, RELAY) == RELAY
    assert overtaking_rate([Offer(5000, 400), Offer(3000, 600)], 1000, RELAY) == RELAY


def test_in_a_long_queue_one_pays_more_than_the_first_who_has_no_place() -> None:
    assert overtaking_rate([Offer(5000, 400), Offer(3000, 601)], 1000, RELAY) == 3001
    assert overtaking_rate([Offer(500, 400), Offer(300, 601)], 1000, RELAY) == RELAY


@given(st.lists(st.builds(Offer, st.integers(0, 10**6), st.integers(155, 667)), max_size=50), st.integers(1, 20_000))
def test_less_than_the_room_is_ahead_of_the_rate(offers: list[Offer], room: int) -> None:
    rate = overtaking_rate(sorted(offers, reverse=True), room, 0)
    assert sum(offer.size for offer in offers if offer.rate >= rate) <= room or rate == 0


def test_offers_come_best_first() -> None:
    pending = [Pending(transfer(fee), 0) for fee in (10, 30, 20)]
    assert offers_of(pending) == [Offer(150, 200), Offer(100, 200), Offer(50, 200)]
