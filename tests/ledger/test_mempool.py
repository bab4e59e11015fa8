"""The mempool: each policy at its boundary, and what an attacker would try. Random histories are in
test_mempool_model.py, what it costs in test_mempool_cost.py.
"""

from __future__ import annotations

import pytest

from pychain.chain.transaction import Transfer
from pychain.consensus.state import Account
from pychain.ledger.mempool import Change, Mempool, MempoolLimits, Policy
from tests.ledger.pool_model import MAX_PENDING, Chain, cost, key, rate, transfer
from tests.ledger.pool_steps import MEMO, RICH, WHOLE, connect, refusal, take

A, B, C, POOR = key(1), key(2), key(3), key(4)
SIZE = 155
"""Bytes of a transfer without memo."""


def make_pool(
    max_bytes: int = 10**6, relay_fee: int = 0, expiry_s: int = 100, **balances: int
) -> tuple[Mempool, Chain]:
    """A pool over accounts A, B and C, which are rich unless told otherwise, and POOR, which has nothing."""
    funds = {A: balances.get("a", RICH), B: balances.get("b", RICH), C: balances.get("c", RICH)}
    chain = Chain(funds)
    return Mempool(MempoolLimits(max_bytes, relay_fee, expiry_s), chain), chain


def pending(pool: Mempool, sender: bytes) -> list[Transfer]:
    return [each.transfer for each in pool.queue(sender)]


def changes(pool: Mempool) -> dict[bytes, Policy | None]:
    """The transfers that left or returned, in any order: txid -> why."""
    return {change.transfer.txid: change.why for change in pool.take_changes()}


def dropped(pool: Mempool) -> list[tuple[Transfer, Policy | None]]:
    return [(change.transfer, change.why) for change in pool.take_changes()]


# --- admission


def test_a_transfer_is_taken_and_found() -> None:
    pool, _ = make_pool()
    new = transfer(A, 0, 10)
    take(pool, new, wall_s=7)
    found = pool.get(new.txid)
    assert found is not None
    assert (found.transfer, found.since, found.rate, found.cost) == (new, 7, 10 * 1000 // SIZE, 11)
    assert new.txid in pool
    assert (len(pool), pool.bytes, pool.next_sequence(A)) == (1, SIZE, 1)
    assert pool.take_changes() == []
    assert refusal(pool, new) is Policy.KNOWN


@pytest.mark.parametrize(("fee", "memo"), [(155, 0), (667, MEMO), (156, 1)])
def test_the_relay_fee_is_rounded_up(fee: int, memo: int) -> None:
    """1,000 units per 1,000 bytes; at 999 units the last one counts whole."""
    for relay_fee in (1_000, 999):
        pool, _ = make_pool(relay_fee=relay_fee)
        assert refusal(pool, transfer(A, 0, fee - 1, memo=memo)) is Policy.RELAY_FEE
        pool.check(transfer(A, 0, fee, memo=memo))


def test_the_window_of_sequences() -> None:
    pool, chain = make_pool()
    chain.accounts[A] = Account(RICH, 5)
    assert refusal(pool, transfer(A, 4, 1)) is Policy.SEQUENCE_USED
    assert refusal(pool, transfer(A, 6, 1)) is Policy.SEQUENCE_GAP
    take(pool, *[transfer(A, 5 + place, 1) for place in range(MAX_PENDING)])
    assert refusal(pool, transfer(A, 5 + MAX_PENDING, 1)) is Policy.TOO_MANY_PENDING
    assert refusal(pool, transfer(B, MAX_PENDING, 1)) is Policy.TOO_MANY_PENDING


def test_all_that_is_pending_must_be_covered() -> None:
    pool, _ = make_pool(a=100)
    take(pool, transfer(A, 0, 10, amount=50))
    assert refusal(pool, transfer(A, 1, 10, amount=31)) is Policy.UNFUNDED
    take(pool, transfer(A, 1, 10, amount=30))
    assert refusal(pool, transfer(A, 2, 0, amount=1)) is Policy.UNFUNDED
    take(pool, transfer(A, 2, 0, amount=0))


def test_an_unfunded_key_is_refused_whatever_it_offers() -> None:
    """Its signature is never checked: callers do that only after `check` has passed."""
    pool, _ = make_pool()
    for sequence in range(3):
        assert refusal(pool, transfer(POOR, sequence, 10)) in (Policy.UNFUNDED, Policy.SEQUENCE_GAP)
        assert refusal(pool, transfer(POOR, sequence, 0, amount=2**64 - 1)) is not Policy.SIGNATURE


def test_an_unfunded_key_sends_nothing_even_for_nothing() -> None:
    """Consensus allows it, but in the mempool anyone could do it for free, without limit."""
    pool, _ = make_pool(relay_fee=0)
    assert refusal(pool, transfer(POOR, 0, 0, amount=0)) is Policy.UNFUNDED
    take(pool, transfer(A, 0, 0, amount=0))


def test_transfers_whose_signatures_are_being_checked_count_as_pending() -> None:
    pool, chain = make_pool(a=100)
    chain.accounts[A] = Account(100, 3)
    take(pool, transfer(A, 3, 10, amount=0))
    coming = {4: transfer(A, 4, 0, amount=50), 5: transfer(A, 5, 0, amount=20)}
    pool.check(transfer(A, 6, 0, amount=20), coming)
    assert refusal(pool, transfer(A, 6, 0, amount=21), coming) is Policy.UNFUNDED
    assert refusal(pool, transfer(A, 7, 0, amount=0), coming) is Policy.SEQUENCE_GAP
    assert refusal(pool, transfer(A, 6, 0, amount=0), {5: coming[5]}) is Policy.SEQUENCE_GAP
    pool.check(transfer(A, 4, 0, amount=90), {2: transfer(A, 2, 0, amount=90)})  # mined meanwhile


def test_costs_are_amounts_and_fees() -> None:
    pool, _ = make_pool()
    new = transfer(A, 0, 7, amount=35)
    take(pool, new)
    assert pool.queue(A)[0].cost == cost(new) == 42


# --- replacement


@pytest.mark.parametrize(("relay_fee", "memo", "least"), [(1_000, 0, 500 + 155), (1_000, MEMO, 500 + 667), (0, 0, 501)])
def test_a_replacement_pays_for_itself(relay_fee: int, memo: int, least: int) -> None:
    """The old fee and the relay fee of its own size; if relaying is free, more than the old fee."""
    pool, _ = make_pool(relay_fee=relay_fee)
    old = transfer(A, 0, 500)
    take(pool, old, transfer(A, 1, 500))
    assert refusal(pool, transfer(A, 0, least - 1, memo=memo, mark=1)) is Policy.REPLACEMENT_FEE
    new = transfer(A, 0, least, memo=memo)
    take(pool, new)
    assert pending(pool, A)[0] == new
    assert old.txid not in pool
    assert pool.bytes == 2 * SIZE + memo
    assert dropped(pool) == [(old, Policy.REPLACED)]


def test_a_replacement_may_not_uncover_what_follows_it() -> None:
    pool, _ = make_pool(a=100)
    take(pool, transfer(A, 0, 1, amount=9), transfer(A, 1, 1, amount=89))
    assert refusal(pool, transfer(A, 0, 2, amount=9)) is Policy.UNFUNDED
    take(pool, transfer(A, 0, 2, amount=8))
    assert len(pending(pool, A)) == 2


# --- room


def test_a_full_pool_takes_what_pays_more_than_the_cheapest_end() -> None:
    pool, _ = make_pool(max_bytes=3 * SIZE)
    head, end, other = transfer(A, 0, 1), transfer(A, 1, 300), transfer(B, 0, 200)
    take(pool, head, end, other)
    assert refusal(pool, transfer(C, 0, 200)) is Policy.FULL
    new = transfer(C, 0, 201)
    take(pool, new)
    assert dropped(pool) == [(other, Policy.FULL)]
    assert pool.bytes == pool.limits.max_bytes


def test_an_end_that_leaves_uncovers_the_one_before_it() -> None:
    pool, _ = make_pool(max_bytes=5 * SIZE)
    a = [transfer(A, 0, 10), transfer(A, 1, 20), transfer(A, 2, 30)]
    take(pool, *a, transfer(B, 0, 40), transfer(B, 1, 15))
    take(pool, transfer(C, 0, 1_000, memo=3 * SIZE))
    assert [each for each, _ in dropped(pool)] == [transfer(B, 1, 15), a[2], a[1], a[0]]
    assert pool.bytes == 2 * SIZE + 3 * SIZE


def test_a_large_cheap_transfer_does_not_push_out_small_dear_ones() -> None:
    """All transfers that would be evicted pay less than the new one, not only the first."""
    pool, _ = make_pool(max_bytes=5 * SIZE)
    take(pool, transfer(A, 0, 100), *[transfer(B, place, 10_000) for place in range(4)])
    large = transfer(C, 0, 700, memo=MEMO)
    assert rate(large) > rate(transfer(A, 0, 100))
    assert refusal(pool, large) is Policy.FULL
    take(pool, transfer(C, 0, 101))


def test_a_replacement_that_grows_needs_room_like_a_newcomer() -> None:
    pool, _ = make_pool(max_bytes=4 * SIZE)
    take(pool, transfer(A, 0, 100), *[transfer(B, place, 10_000) for place in range(3)])
    assert refusal(pool, transfer(A, 0, 900, memo=100)) is Policy.FULL
    take(pool, transfer(A, 0, 900))
    take(pool, transfer(A, 0, 20_000, memo=100))
    assert dropped(pool)[1:] == [(transfer(A, 0, 900), Policy.REPLACED), (transfer(B, 2, 10_000), Policy.FULL)]


def test_a_sender_does_not_evict_its_own() -> None:
    """The new transfer comes after them: without them it could not be mined."""
    pool, _ = make_pool(max_bytes=2 * SIZE)
    take(pool, transfer(A, 0, 1), transfer(A, 1, 2))
    assert refusal(pool, transfer(A, 2, 1_000)) is Policy.FULL
    middle = transfer(A, 0, 1_000, memo=1)
    assert refusal(pool, middle) is Policy.FULL
    take(pool, transfer(A, 0, 1_000))


def test_a_dear_replacement_leaves_its_own_cheap_end_alone() -> None:
    pool, _ = make_pool(max_bytes=3 * SIZE)
    take(pool, transfer(A, 0, 1), transfer(A, 1, 2), transfer(B, 0, 500))
    take(pool, transfer(A, 0, 1_000, memo=1))
    assert dropped(pool) == [(transfer(A, 0, 1), Policy.REPLACED), (transfer(B, 0, 500), Policy.FULL)]
    assert len(pending(pool, A)) == 2


# --- time


def test_ends_expire_and_uncover_what_is_before_them() -> None:
    pool, _ = make_pool(expiry_s=100)
    take(pool, transfer(A, 0, 1), wall_s=0)
    take(pool, transfer(A, 1, 1), wall_s=50)
    take(pool, transfer(B, 0, 1), wall_s=0)
    assert pool.expire(100, WHOLE)
    assert pool.take_changes() == []
    assert pool.expire(101, WHOLE)
    assert dropped(pool) == [(transfer(B, 0, 1), Policy.EXPIRED)]
    assert pool.expire(151, WHOLE)
    assert dropped(pool) == [(transfer(A, 1, 1), Policy.EXPIRED), (transfer(A, 0, 1), Policy.EXPIRED)]
    assert (len(pool), pool.bytes) == (0, 0)


def test_expiry_goes_round_the_accounts() -> None:
    pool, chain = make_pool(expiry_s=100)
    keys = [key(number) for number in range(10, 20)]
    chain.accounts |= {each: Account(RICH, 0) for each in keys}
    take(pool, *[transfer(each, 0, 1) for each in keys])
    assert [pool.expire(101, 4) for _ in range(3)] == [False, False, True]
    assert len(pool) == 0
    assert pool.expire(101, 4)


# --- the chain moves


def disconnect(pool: Mempool, chain: Chain) -> None:
    pool.rebase([*chain.accounts], chain.disconnect(), [], 9)


def test_mined_transfers_leave_without_a_report() -> None:
    pool, chain = make_pool()
    a = [transfer(A, place, 1) for place in range(3)]
    take(pool, *a)
    kept = pool.get(a[2].txid)
    connect(pool, chain, *a[:2])
    assert not pool.is_settled
    pool.settle(WHOLE)
    assert pool.is_settled
    assert pool.get(a[2].txid) is kept
    assert pending(pool, A) == a[2:]
    assert pool.take_changes() == []


def test_reasons_for_which_transfers_leave_when_a_block_comes() -> None:
    """A transfer that conflicts with the first was mined and spent so much that only the second is still covered."""
    pool, chain = make_pool(a=100)
    a = [transfer(A, 0, 10), transfer(A, 1, 10), transfer(A, 2, 10), transfer(A, 3, 10)]
    take(pool, *a)
    connect(pool, chain, transfer(A, 0, 0, amount=80, mark=1))
    pool.settle(WHOLE)
    assert pending(pool, A) == a[1:2]
    assert dropped(pool) == [(a[0], Policy.CONFLICT), (a[2], Policy.UNFUNDED), (a[3], Policy.SEQUENCE_GAP)]


def test_transfers_return_from_a_disconnected_block() -> None:
    pool, chain = make_pool()
    a, b = [transfer(A, place, 1) for place in range(4)], transfer(B, 0, 1)
    take(pool, *a[:2])
    connect(pool, chain, *a[:2], b)
    pool.settle(WHOLE)
    take(pool, a[2])
    disconnect(pool, chain)
    pool.settle(WHOLE)
    assert pending(pool, A) == a[:3]
    assert pending(pool, B) == [b]
    assert changes(pool) == {a[0].txid: None, a[1].txid: None, b.txid: None}
    assert [each.since for each in pool.queue(A)] == [9, 9, 0]


def test_more_than_may_be_pending_come_back() -> None:
    pool, chain = make_pool()
    a = [transfer(A, place, 1) for place in range(MAX_PENDING + 3)]
    connect(pool, chain, *a[:5])
    take(pool, *a[5:])
    disconnect(pool, chain)
    pool.settle(WHOLE)
    assert pending(pool, A) == a[:MAX_PENDING]
    left = [change for change in pool.take_changes() if change.why is not None]
    assert left == [Change(each, Policy.TOO_MANY_PENDING) for each in a[MAX_PENDING:]]


def test_what_came_back_competes_for_room() -> None:
    pool, chain = make_pool(max_bytes=2 * SIZE)
    connect(pool, chain, transfer(A, 0, 5), transfer(B, 0, 300))
    take(pool, transfer(C, 0, 100), transfer(B, 1, 200))
    disconnect(pool, chain)
    pool.settle(WHOLE)
    assert pool.bytes == 2 * SIZE
    assert pending(pool, B) == [transfer(B, 0, 300), transfer(B, 1, 200)]


def test_an_account_that_is_settled_alone_makes_room_at_once() -> None:
    """Returned transfers are not kept above the limit until all others are settled too."""
    back = transfer(A, 0, 300)
    pool, chain = make_pool(max_bytes=2 * SIZE)
    connect(pool, chain, back)
    take(pool, transfer(B, 0, 200), transfer(C, 0, 100))
    disconnect(pool, chain)
    assert refusal(pool, back) is Policy.KNOWN
    assert pool.bytes == 2 * SIZE
    assert dropped(pool) == [(back, None), (transfer(C, 0, 100), Policy.FULL)]


def test_a_read_of_the_next_sequence_changes_nothing() -> None:
    """It returns the sequence after settling, and leaves settling and eviction for later."""
    back = transfer(A, 0, 300)
    pool, chain = make_pool(max_bytes=2 * SIZE)
    connect(pool, chain, back)
    take(pool, transfer(B, 0, 200), transfer(C, 0, 100))
    disconnect(pool, chain)
    before = pool.bytes, pool.revision, pool.losses, pool.is_settled
    assert pool.next_sequence(A) == 1
    assert (pool.bytes, pool.revision, pool.losses, pool.is_settled) == before
    assert dropped(pool) == []
    pool.settle(WHOLE)
    assert pool.next_sequence(A) == 1


def test_an_account_is_settled_before_its_transfer_is_judged() -> None:
    pool, chain = make_pool()
    a = [transfer(A, place, 1) for place in range(3)]
    take(pool, a[0])
    connect(pool, chain, a[0], a[1])
    assert refusal(pool, a[0]) is Policy.SEQUENCE_USED
    take(pool, a[2])
    assert pending(pool, A) == [a[2]]
    disconnect(pool, chain)
    assert refusal(pool, a[1]) is Policy.KNOWN
    assert pending(pool, A) == a


def test_what_lost_its_place_is_not_known_any_more() -> None:
    """It is checked as a replacement of the conflicting transfer, which returned first."""
    pool, chain = make_pool()
    lost, competing = transfer(A, 0, 5), transfer(A, 0, 5, mark=1)
    take(pool, lost)
    connect(pool, chain, competing)
    disconnect(pool, chain)
    assert refusal(pool, lost) is Policy.REPLACEMENT_FEE
    assert dropped(pool) == [(lost, Policy.CONFLICT), (competing, None)]


def test_mined_and_undone_before_anybody_looked() -> None:
    """The transfer is still pending; the conflicting one, which was mined for a moment, takes precedence."""
    pool, chain = make_pool()
    a, b, competing = transfer(A, 0, 1), transfer(B, 0, 1), transfer(B, 0, 0, mark=1)
    take(pool, a, b)
    connect(pool, chain, a, competing)
    disconnect(pool, chain)
    pool.settle(WHOLE)
    assert pending(pool, A) == [a]
    assert pending(pool, B) == [competing]
    assert changes(pool) == {b.txid: Policy.CONFLICT, competing.txid: None}


def test_a_snapshot_of_the_queues_never_changes() -> None:
    pool, chain = make_pool()
    a = [transfer(A, place, 1) for place in range(3)]
    take(pool, *a)
    snapshot = pool.queues()
    before = [[each.transfer for each in queue] for queue in snapshot]
    take(pool, transfer(A, 1, 50), transfer(B, 0, 1))
    connect(pool, chain, a[0])
    pool.settle(WHOLE)
    assert [[each.transfer for each in queue] for queue in snapshot] == before


# --- what others see of it


def test_the_rate_that_gets_in_is_the_relay_fee_until_the_pool_is_full() -> None:
    pool, _ = make_pool(max_bytes=3 * SIZE, relay_fee=100)
    assert pool.entry_rate() == 100
    for sender, fee in ((A, 500), (B, 300)):
        take(pool, transfer(sender, 0, fee))
    assert pool.entry_rate() == 100, "there is room for one more"
    take(pool, transfer(C, 0, 400))
    due = pool.entry_rate()
    assert due == rate(transfer(B, 0, 300)) + 1
    fee = -(-due * SIZE // 1000)
    assert refusal(pool, transfer(A, 1, fee - 1)) is Policy.FULL
    take(pool, transfer(A, 1, fee))


def test_fees_are_those_of_what_waits() -> None:
    pool, _ = make_pool(max_bytes=3 * SIZE)
    for sender, fee in ((A, 500), (B, 300), (C, 400)):
        take(pool, transfer(sender, 0, fee))
    assert pool.fees == 1200
    take(pool, transfer(A, 0, 900))
    assert pool.fees == 1600, "one was replaced"
    take(pool, transfer(C, 1, 700))
    assert pool.fees == 900 + 400 + 700, "the cheapest had to leave"
    pool.drop(accounts=10)
    assert (pool.fees, pool.bytes, len(pool)) == (0, 0, 0)


def test_all_transfers_of_some_accounts_are_dropped() -> None:
    pool, _ = make_pool()
    for sender in (A, B, C):
        for sequence in range(3):
            take(pool, transfer(sender, sequence, 10))
    pool.drop(accounts=2)
    assert (pending(pool, A), pending(pool, B), len(pending(pool, C))) == ([], [], 3)
    assert {why for _, why in dropped(pool)} == {Policy.DROPPED}
    take(pool, transfer(A, 0, 10))
    pool.drop(accounts=2)
    assert len(pool) == 0
