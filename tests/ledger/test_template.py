"""Templates: the selection of transfers, and that the result is a valid block."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain import native
from pychain.chain.block import decode_block
from pychain.chain.transaction import Coinbase, Transfer, decode_transfer
from pychain.consensus.state import Account
from pychain.ledger.mempool import Mempool, MempoolLimits
from pychain.ledger.pending import Pending, Queue
from pychain.ledger.template import MAX_MISSES, BlockTemplate, Selection, chunks_of, fold_branch
from tests.ledger.pool_model import key, transfer
from tests.support import wire
from tests.support.driver import ACCEPTED
from tests.support.keys import signer
from tests.support.network import EASY_BITS, GENESIS_TIME, Network
from tests.support.operations import operations_of
from tests.support.reference_chain import ReferenceChain

SIZE = 155
FRAME = 80 + 5 + 46 + 100
"""Header, count and coinbase at their longest."""
WHOLE = 10**9


@lru_cache(maxsize=4096)
def pending(account: int, sequence: int, fee: int, memo: int = 0) -> Pending:
    return Pending(transfer(key(account), sequence, fee, memo=memo), 0)


def queues_of(rows: list[list[tuple[int, int]]]) -> list[Queue]:
    """Queues from (fee, memo bytes) for each of their transfers."""
    return [
        tuple(pending(account, sequence, fee, memo) for sequence, (fee, memo) in enumerate(row))
        for account, row in enumerate(rows)
    ]


def select(queues: list[Queue], room: int, budget: int = WHOLE) -> Selection:
    """The selection for a block with `room` bytes for transfers, made in slices of `budget`."""
    selection = Selection(queues, FRAME + room)
    assert not selection.is_made
    while not selection.advance(budget):
        assert not selection.is_made
    assert selection.is_made
    assert selection.advance(1)
    return selection


def template_of(selection: Selection, **fields: int) -> BlockTemplate:
    return BlockTemplate(
        height=fields.get("height", 7),
        prev_hash=bytes(32),
        bits=EASY_BITS,
        time=GENESIS_TIME + 60,
        min_time=GENESIS_TIME,
        max_time=GENESIS_TIME + 600,
        coinbase_amount=50 + selection.fees,
        fees=selection.fees,
        transfers=tuple(selection.transfers),
    )


fees = st.integers(0, 12) | st.integers(0, 10**6)
sized = st.lists(st.lists(st.tuples(fees, st.sampled_from([0, 0, 1, 100, 512])), max_size=5), max_size=6)
equal = st.lists(st.lists(st.tuples(st.integers(0, 12), st.just(0)), min_size=1, max_size=4), max_size=4)


# --- the selection


@given(sized, st.integers(0, 5_000))
def test_a_choice_is_made_of_prefixes_and_fits(rows: list[list[tuple[int, int]]], room: int) -> None:
    queues = queues_of(rows)
    chosen = select(queues, room)
    assert chosen.fees == sum(each.fee for each in chosen.transfers)
    used = sum(len(each.raw) for each in chosen.transfers)
    assert used <= room
    for queue in queues:
        mine = [each for each in chosen.transfers if queue and each.sender == queue[0].transfer.sender]
        assert mine == [each.transfer for each in queue[: len(mine)]]
        if len(mine) < len(queue):  # nothing more fits
            assert used + len(queue[len(mine)].transfer.raw) > room


@given(sized, st.integers(0, 5_000), st.integers(1, 7))
def test_slices_do_not_change_the_choice(rows: list[list[tuple[int, int]]], room: int, budget: int) -> None:
    queues = queues_of(rows)
    assert select(queues, room, budget).transfers == select(queues, room).transfers


@given(st.lists(st.tuples(fees, st.sampled_from([0, 1, 512])), max_size=8), st.integers(0, 3))
def test_chunks_are_the_best_paying_runs(row: list[tuple[int, int]], start: int) -> None:
    """Repeatedly the run that pays most per byte, the longest of equals."""
    (queue,) = queues_of([row])
    expected = []
    first = start
    while first < len(queue):
        runs = [queue[first:end] for end in range(first + 1, len(queue) + 1)]
        totals = [(sum(p.transfer.fee for p in run), sum(len(p.transfer.raw) for p in run)) for run in runs]
        rates = [Fraction(fee, size) for fee, size in totals]
        length = max(place for place, rate in enumerate(rates) if rate == max(rates)) + 1
        expected.append((first, first + length, *totals[length - 1]))
        first += length
    assert chunks_of(queue, start) == expected[::-1]


def best_fees(queues: list[Queue], count: int) -> int:
    """The most that `count` transfers of equal size can pay, each account's from its first on."""
    best = {0: 0}
    for queue in queues:
        prefixes = [0, *accumulate(each.transfer.fee for each in queue)]
        best = {
            total: max(
                best[total - length] + prefixes[length] for length in range(len(prefixes)) if total - length in best
            )
            for total in range(max(best) + len(queue) + 1)
        }
    return max(fees for total, fees in best.items() if total <= count)


@given(equal)
def test_equal_sizes_against_all_choices(rows: list[list[tuple[int, int]]]) -> None:
    """The selection is optimal if a block ends with a chunk, and a block is always filled."""
    queues = queues_of(rows)
    chunks = [chunk for queue in queues for chunk in chunks_of(queue)]
    chunks.sort(key=lambda chunk: Fraction(chunk[2], chunk[3]), reverse=True)
    ends = {0, *accumulate(end - start for start, end, _, _ in chunks)}
    total = sum(map(len, queues))
    for count in range(total + 2):
        chosen = select(queues, count * SIZE)
        assert len(chosen.transfers) == min(count, total)
        best = best_fees(queues, count)
        assert chosen.fees <= best
        if count in ends:
            assert chosen.fees == best


@given(equal.map(lambda rows: [sorted(row, reverse=True) for row in rows]), st.integers(0, 12))
def test_falling_fees_are_chosen_best(rows: list[list[tuple[int, int]]], count: int) -> None:
    queues = queues_of(rows)
    assert select(queues, count * SIZE).fees == best_fees(queues, count)


def test_a_child_pays_for_its_parent() -> None:
    queues = queues_of([[(10, 0), (990, 0)], [(400, 0)], [(450, 0)]])
    chosen = select(queues, 3 * SIZE).transfers
    assert [each.fee for each in chosen] == [10, 990, 450]


def test_of_equals_the_earlier_queue_goes_first() -> None:
    queues = queues_of([[(5, 0)], [(5, 0)], [(5, 0)]])
    assert select(queues, 2 * SIZE).transfers == [queues[0][0].transfer, queues[1][0].transfer]


def test_rounding_decides_nothing() -> None:
    """A long run that pays a single unit more than another goes first."""
    queues = queues_of([[(1_000, 0)] * 60, [(1_000, 0)] * 59 + [(1_001, 0)]])
    assert select(queues, 60 * SIZE).fees == 60_001


def test_what_fits_of_a_chunk_competes_by_its_own_rate() -> None:
    """The run of three does not fit; its first two alone pay less than what others offer for the place."""
    queues = queues_of([[(0, 0), (30, 0), (900, 0)], [(20, 0)], [(10, 0)]])
    assert [each.fee for each in select(queues, 2 * SIZE).transfers] == [20, 10]
    assert [each.fee for each in select(queues_of([[(0, 0), (30, 0), (900, 0)]]), 2 * SIZE).transfers] == [0, 30]


def test_a_block_too_small_for_any_is_empty() -> None:
    queues = queues_of([[(5, 0)]])
    for room in (-FRAME, -1, 0, SIZE - 1):
        assert select(queues, room).transfers == []
    assert len(select(queues, SIZE).transfers) == 1


def test_a_full_block_is_not_searched_to_the_end() -> None:
    """However many there are that do not fit, only a bounded number is tried."""

    def tries(misfits: int) -> int:
        queues = queues_of([[(10**9, 0)], *[[(number, 200)] for number in range(misfits)]])
        selection = Selection(queues, FRAME + SIZE + 200)
        assert not selection.advance(2 * len(queues))  # all are ranked
        looks = operations_of(lambda: selection.advance(WHOLE))
        assert selection.is_made
        assert len(selection.transfers) == 1
        return looks

    assert tries(MAX_MISSES // 2) < tries(MAX_MISSES) == tries(3 * MAX_MISSES)


def test_misfits_count_in_a_row() -> None:
    """One that fits after many that did not continues the search."""
    misfits = MAX_MISSES // 2 + 1
    rates = [9, *[8] * misfits, 7, *[6] * misfits, 5]
    queues = queues_of([[(rate * (SIZE + memo), memo)] for rate in rates for memo in [0 if rate % 2 else 3 * SIZE]])
    assert [each.fee for each in select(queues, 3 * SIZE).transfers] == [9 * SIZE, 7 * SIZE, 5 * SIZE]


@pytest.mark.parametrize("shape", [(1_000, 1), (20, 64)])
@pytest.mark.parametrize("falling", [True, False])
def test_a_slice_keeps_to_its_budget(shape: tuple[int, int], falling: bool) -> None:
    """Operations of every slice are few for each transfer of its budget, whatever the fees are."""
    accounts, length = shape
    fees = range(length, 0, -1) if falling else range(length)
    queues = queues_of([[(fee, 0) for fee in fees] for _ in range(accounts)])
    selection = Selection(queues, FRAME + 600 * SIZE)
    slices = []
    while not selection.is_made:
        slices.append(operations_of(lambda: selection.advance(100)))
    assert max(slices) <= 20 * (100 + length)


# --- the block


@pytest.mark.parametrize("count", range(71))
def test_the_merkle_branch_folds_to_the_root(count: int) -> None:
    template = template_of(select(queues_of([[(1, 0)] for _ in range(count)]), WHOLE))
    coinbase = template.coinbase(key(0), bytes(32))
    txids = [coinbase.txid, *[each.txid for each in template.transfers]]
    assert len(txids) == count + 1
    root = fold_branch(coinbase.txid, template.merkle_branch)
    assert root == native.merkle_root(b"".join(txids)) == wire.merkle_root(txids)
    assert len(template.merkle_branch) == count.bit_length()


@settings(max_examples=50)
@given(sized, st.integers(FRAME, 4_000), st.integers(32, 100), st.integers(-(2**31), 2**31 - 1))
def test_a_block_is_what_was_promised(
    rows: list[list[tuple[int, int]]], max_block_bytes: int, extra: int, version: int
) -> None:
    selection = Selection(queues_of(rows), max_block_bytes)
    selection.advance(WHOLE)
    while not selection.is_made:
        selection.advance(WHOLE)
    template = template_of(selection)
    coinbase = template.coinbase(key(9), b"x" * extra)
    block = template.block(coinbase, template.time + 5, 77, version)
    assert len(block.raw) <= max_block_bytes
    assert decode_block(block.raw) == block
    assert block.transactions == (coinbase, *selection.transfers)
    assert coinbase == Coinbase(coinbase.raw, coinbase.txid, 7, key(9), 50 + selection.fees, b"x" * extra)
    header = block.header
    assert (header.version, header.prev_hash, header.bits) == (version, template.prev_hash, EASY_BITS)
    assert (header.time, header.nonce) == (template.time + 5, 77)
    assert header.merkle_root == native.merkle_root(block.txids)
    prefix = template.header_prefix(coinbase, template.time + 5, version)
    assert prefix[:76] == header.raw[:76]
    assert prefix[76:] == bytes(4)
    assert template.target == wire.target_of(EASY_BITS)


def test_a_count_of_many_transfers_fits_too() -> None:
    """Past 252 transactions the count takes three bytes."""
    queues = queues_of([[(1, 0)] for _ in range(300)])
    for room in (252 * SIZE, 253 * SIZE, 300 * SIZE):
        selection = select(queues, room)
        block = template_of(selection).block(template_of(selection).coinbase(key(0), bytes(100)), GENESIS_TIME, 0)
        assert len(selection.transfers) == room // SIZE
        assert len(block.raw) <= FRAME + room


# --- on a chain


SIGNERS = [signer(f"payer {number}") for number in range(3)]
NETWORK = Network(allocations=tuple((each.key, 10_000) for each in SIGNERS), max_block_bytes=FRAME + 5 * SIZE)
MINER = sha256(b"miner").digest()


class OnChain:
    """A mempool over a reference chain, and blocks mined from its templates."""

    def __init__(self) -> None:
        self.chain = ReferenceChain(NETWORK.toml(), GENESIS_TIME + 10_000)
        self.pool = Mempool(MempoolLimits(relay_fee=0), self)
        self.height = 0
        self.time = GENESIS_TIME

    def account(self, key: bytes) -> Account:
        return Account(*self.chain.account(key))

    def pay(self, payer: int, fee: int, amount: int) -> bool:
        """A payment to the next payer, if the pool takes it."""
        mine, other = SIGNERS[payer].key, SIGNERS[(payer + 1) % 3].key
        sequence = self.pool.next_sequence(mine)
        raw = SIGNERS[payer].transfer(NETWORK.genesis_hash, sequence, other, amount, fee)
        covered = sum(each.cost for each in self.pool.queue(mine)) + amount + fee <= self.account(mine).balance
        if covered:
            self.pool.check(decode_transfer(raw))
            self.pool.add(decode_transfer(raw), 0)
        return covered

    def mine(self) -> tuple[Transfer, ...]:
        """A block from a template, which the reference chain judges."""
        selection = Selection(self.pool.queues(), NETWORK.max_block_bytes)
        while not selection.advance(10):
            pass
        self.height += 1
        self.time += 10
        template = BlockTemplate(
            self.height,
            self.chain.tip(),
            EASY_BITS,
            self.time,
            self.time,
            self.time + 100,
            NETWORK.subsidy(self.height) + selection.fees,
            selection.fees,
            tuple(selection.transfers),
        )
        coinbase = template.coinbase(MINER, bytes(32))
        nonce, _ = native.search(template.header_prefix(coinbase, self.time), template.target, 0, 2**32)
        assert nonce is not None
        block = template.block(coinbase, self.time, nonce)
        assert self.chain.submit(block.raw) == ACCEPTED
        assert self.chain.tip() == block.hash
        touched = [each.key for each in SIGNERS]
        self.pool.rebase(touched, [], [each.txid for each in template.transfers], 0)
        self.pool.settle(WHOLE)
        assert self.pool.take_changes() == []
        return template.transfers


payments = st.tuples(st.integers(0, 2), st.integers(0, 500), st.integers(0, 4_000))


@settings(max_examples=15)
@given(st.lists(st.lists(payments, max_size=8), min_size=1, max_size=4))
def test_blocks_from_templates_are_valid(rounds: list[list[tuple[int, int, int]]]) -> None:
    world = OnChain()
    paid = mined = 0
    for payments in rounds:
        paid += sum(world.pay(*payment) for payment in payments)
        mined += len(world.mine())
    while len(world.pool):
        mined += len(world.mine())
    assert mined == paid
