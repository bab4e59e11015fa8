"""The cost of the mempool: work that does not grow with its size, slices that keep to their budget, memory."""

from __future__ import annotations

import tracemalloc
from functools import partial

import pytest

from pychain.ledger.mempool import Mempool, MempoolLimits
from tests.ledger.pool_model import Chain, key, transfer
from tests.ledger.pool_steps import MEMO, RICH, WHOLE, connect, refusal, take
from tests.support.operations import operations_of

A, B, POOR = key(1), key(2), key(4)


def crowd(accounts: int, each: int, max_bytes: int = 10**9) -> tuple[Mempool, Chain, list[bytes]]:
    """A pool of many accounts with `each` pending transfers, their fees rising from account to account."""
    keys = [key(number) for number in range(1_000, 1_000 + accounts)]
    chain = Chain(dict.fromkeys([*keys, A, B], RICH))
    pool = Mempool(MempoolLimits(max_bytes, 0), chain)
    for place in range(each):
        take(pool, *[transfer(sender, place, 100 + number) for number, sender in enumerate(keys)])
    return pool, chain, keys


@pytest.mark.parametrize("full", [False, True])
def test_admission_costs_the_same_in_a_large_pool(full: bool) -> None:
    """Check and add, with an eviction where the pool is full: operations do not grow with the pool."""

    def dearest(accounts: int) -> int:
        pool, _, _ = crowd(accounts, 2)
        if full:
            pool.limits = MempoolLimits(pool.bytes, 0)
        news = [transfer(A, place, 9_999) for place in range(40)]
        return max(operations_of(partial(take, pool, new)) for new in news)

    assert dearest(2_000) <= dearest(50) + 40


def test_refusals_in_a_full_pool_leave_no_trace() -> None:
    pool, _, _ = crowd(50, 2)
    pool.limits = MempoolLimits(pool.bytes, 0)
    judge = partial(refusal, pool, transfer(A, 0, 120, memo=MEMO))
    costs = [operations_of(judge) for _ in range(500)]
    assert costs[-1] <= costs[0]


def test_settling_looks_at_what_was_touched_alone() -> None:
    pool, chain, keys = crowd(500, 3)
    chain.connect([transfer(sender, 0, 100 + number) for number, sender in enumerate(keys[:7])])
    for touched, looked_at in (([*keys[:7], A, POOR], 7), ([A, POOR], 0), (keys, 500)):
        pool.rebase(touched, [], [], 0)
        chain.reads = 0
        pool.settle(WHOLE)
        assert chain.reads == looked_at


def test_settling_keeps_to_its_budget() -> None:
    pool, chain, keys = crowd(300, 4)
    connect(pool, chain, *[transfer(sender, 0, 100 + number) for number, sender in enumerate(keys)])
    slices = []
    while not pool.is_settled:
        chain.reads = 0
        pool.settle(50)
        slices.append(chain.reads)
    assert max(slices) <= 10
    assert sum(slices) == 300
    assert pool.take_changes() == []


def test_memory_of_a_pending_transfer() -> None:
    """At most 1,000 bytes including its own, with one transfer per account, which is the most expensive case."""
    keys = [key(number) for number in range(10_000, 12_000)]
    chain = Chain(dict.fromkeys(keys, RICH))
    pool = Mempool(MempoolLimits(10**9, 0), chain)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        take(pool, *[transfer(bytes(each), 0, 1_000 + number, to=bytes(each)) for number, each in enumerate(keys)])
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(pool) == len(keys)
    assert used / len(pool) <= 1_000
