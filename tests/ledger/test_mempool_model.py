"""The mempool against lists: admission, replacement, eviction, expiry, and chains that move under it."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pychain.chain.transaction import Transfer
from pychain.ledger.mempool import Mempool, MempoolLimits, PolicyError
from tests.ledger.pool_model import MAX_PENDING, Chain, PoolModel, cost, key, transfer

SENDERS = [key(number) for number in range(1, 5)]
EXPIRY_S = 50
WHOLE = 10**9
"""A budget that settles everything."""
HISTORIES = 40
"""Of each machine in the ordinary run: a few seconds."""
LONG_HISTORIES = 2_000
"""The sweep: some minutes."""
STEPS = 30

senders = st.sampled_from(SENDERS)
fees = st.integers(0, 8).map(lambda step: step * 155) | st.integers(0, 3_000)
amounts = st.sampled_from([0, 1, 1, 1_000, 20_000])
memos = st.sampled_from([0, 0, 45, 512])
places = st.none() | st.integers(-1, 4) | st.just(MAX_PENDING)
Offer = tuple[bytes, int, int, int, int | None]
"""Sender, fee (above that of the one it would replace), amount, memo bytes, place in the queue (None: at its end)."""
offers = st.tuples(senders, fees, amounts, memos, places)


class MempoolMachine(RuleBasedStateMachine):
    """A pool, its model and a chain.

    Between two moves of the tip a pool may be partly settled, and transfers offered meanwhile are checked as if it were
    settled. The order matters only when room is short: then it is settled at once.
    """

    @initialize(
        max_bytes=st.sampled_from([10**6, 10**6, 1_500, 4_000]),
        relay_fee=st.sampled_from([0, 1_000]),
        balances=st.tuples(*[st.sampled_from([0, 3_000, 30_000, 10**9, 10**9])] * len(SENDERS)),
    )
    def begin(self, max_bytes: int, relay_fee: int, balances: tuple[int, ...]) -> None:
        self.chain = Chain({**dict(zip(SENDERS, balances, strict=True)), key(0): 10**12})
        self.pool = Mempool(MempoolLimits(max_bytes, relay_fee, EXPIRY_S), self.chain)
        self.model = PoolModel(self.chain, max_bytes, relay_fee, EXPIRY_S)
        self.is_roomy = max_bytes == 10**6
        self.wall_s = 1_000
        self.marks = 0
        self.known: dict[bytes, Transfer] = {}
        self.added: set[bytes] = set()
        self.checked: tuple[Transfer, int, int] | None = None
        """The transfer last checked and not added, its place, and the pool's losses."""
        self.seen = (self.content(), self.pool.revision)

    def make(self, sender: bytes, sequence: int, fee: int, amount: int, memo: int) -> Transfer:
        self.marks += 1
        return transfer(sender, sequence, fee, amount=amount, memo=memo, to=SENDERS[self.marks % 4], mark=self.marks)

    def content(self) -> dict[bytes, Transfer]:
        return {pending.transfer.txid: pending.transfer for pending in self.pool.entries()}

    # --- transfers

    @rule(offers=st.lists(offers, min_size=1, max_size=12))
    def offer_some(self, offers: list[Offer]) -> None:
        """Transfers at the end of a queue or about it, and in the place of pending ones."""
        for sender, offered, amount, memo, place in offers:
            start = self.chain.account(sender).sequence
            pending = [tx for tx, _ in self.model.queues.get(sender, [])]
            sequence = start + len(pending) if place is None else max(0, start + place)
            replaced = start <= sequence < start + len(pending)
            fee = offered + (pending[sequence - start].fee if replaced else 0)
            self.offer(self.make(sender, sequence, fee, amount, memo))

    @rule(sender=senders, count=st.integers(1, MAX_PENDING + 1), fee=fees)
    def offer_many(self, sender: bytes, count: int, fee: int) -> None:
        for _ in range(count):
            end = self.chain.account(sender).sequence + len(self.model.queues.get(sender, []))
            self.offer(self.make(sender, end, fee, 1, 0))

    @rule(pick=st.integers(0, 1000))
    def offer_again(self, pick: int) -> None:
        """Something that was offered before: pending, mined, refused or dropped."""
        if self.known:
            self.offer(list(self.known.values())[pick % len(self.known)])

    def offer(self, new: Transfer) -> None:
        self.known[new.txid] = new
        code = self.verdict(new)
        assert code == self.model.judge(new)
        if not code:
            self.pool.add(new, self.wall_s)
            self.added.add(new.txid)
            self.model.add(new, self.wall_s)
            assert self.pool.bytes <= self.pool.limits.max_bytes

    def verdict(self, new: Transfer) -> str:
        """The code with which the pool rejects a transfer, empty if it accepts it."""
        try:
            self.pool.check(new)
        except PolicyError as error:
            return error.policy.value
        return ""

    @rule(sender=senders, fee=fees, amount=amounts)
    def only_check(self, sender: bytes, fee: int, amount: int) -> None:
        """A transfer for the end of a queue, whose signature takes time."""
        end = self.chain.account(sender).sequence + len(self.model.queues.get(sender, []))
        new = self.make(sender, end, fee, amount, 0)
        if not self.verdict(new):
            self.checked = new, self.pool.check(new), self.pool.losses

    @rule(seconds=st.integers(1, EXPIRY_S + 1), budget=st.integers(1, 4))
    def time_passes(self, seconds: int, budget: int) -> None:
        self.wall_s += seconds
        self.pool.settle(WHOLE)
        rounds = 1
        while not self.pool.expire(self.wall_s, budget):
            rounds += 1
        assert rounds <= len(SENDERS)
        self.model.expire(self.wall_s)

    # --- blocks

    @rule(takes=st.lists(st.tuples(senders, st.integers(1, 4)), max_size=4), competing=st.lists(senders, max_size=2))
    def block_comes(self, takes: list[tuple[bytes, int]], competing: list[bytes]) -> None:
        self.move(0, [self.block_of(takes, competing)])

    @precondition(lambda self: self.chain.blocks)
    @rule(depth=st.integers(1, 3), data=st.data(), length=st.integers(0, 3))
    def reorganisation(self, depth: int, data: st.DataObject, length: int) -> None:
        """The competing branch has some of the disconnected transfers, some pending ones, and some of its own."""
        depth = min(depth, len(self.chain.blocks))
        undone = [tx for transfers, _ in self.chain.blocks[len(self.chain.blocks) - depth :] for tx in transfers]
        branch: list[list[Transfer]] = []
        for _ in range(length):
            takes = data.draw(st.lists(st.tuples(senders, st.integers(1, 2)), max_size=2))
            competing = data.draw(st.lists(senders, max_size=2))
            again = [tx for tx in undone if data.draw(st.booleans())]
            branch.append([*self.block_of([], competing), *again, *self.block_of(takes, [])])
        self.move(depth, branch)

    def block_of(self, takes: list[tuple[bytes, int]], competing: list[bytes]) -> list[Transfer]:
        """Transfers for a block: first new ones, then the heads of some queues. The chain leaves out those that are
        invalid when applied.
        """
        unseen = [self.make(sender, self.chain.account(sender).sequence, 0, 2_900, 0) for sender in competing]
        heads = [tx for sender, count in takes for tx, _ in self.model.queues.get(sender, [])[:count]]
        return unseen + heads

    def move(self, depth: int, branch: list[list[Transfer]]) -> None:
        self.pool.settle(WHOLE)
        self.changes_account_for_every_difference()
        before = dict(self.chain.accounts)
        undone = [self.chain.disconnect() for _ in range(depth)]
        returned = [tx for transfers in reversed(undone) for tx in transfers]
        mined = [tx for transfers in branch for tx in self.chain.connect(transfers)]
        after = self.chain.accounts
        touched = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        self.known |= {tx.txid: tx for tx in mined}
        done = {tx.txid for tx in mined}
        self.pool.rebase(touched, returned, [tx.txid for tx in mined], self.wall_s)
        self.model.rebase([tx for tx in returned if tx.txid not in done], self.wall_s)
        if not self.is_roomy:
            self.pool.settle(WHOLE)

    @rule(budget=st.integers(1, 6))
    def settle_a_little(self, budget: int) -> None:
        self.pool.settle(budget)

    # --- what must hold

    @invariant()
    def changes_account_for_every_difference(self) -> None:
        """Transfers that left were mined or are reported with a reason; returned ones are too; the revision changes."""
        content, revision = self.content(), self.pool.revision
        before, last = self.seen
        self.seen = content, revision
        assert revision > last if content.keys() != before.keys() else revision >= last
        changes = self.pool.take_changes()
        left = {change.transfer.txid for change in changes if change.why is not None}
        came = {change.transfer.txid for change in changes if change.why is None}
        mined = {tx.txid for transfers, _ in self.chain.blocks for tx in transfers}
        assert before.keys() - content.keys() <= left | mined
        assert content.keys() - before.keys() <= came | self.added
        assert not left & ((content.keys() - self.added) | mined)  # what has left may have been offered again
        assert not came & self.added
        assert came <= content.keys() | left
        self.added.clear()

    @invariant()
    def the_same_transfers_are_pending(self) -> None:
        if not self.pool.is_settled:
            return
        content = self.model.content()
        assert {queue[0].transfer.sender: [p.transfer for p in queue] for queue in self.pool.queues()} == content
        for sender in SENDERS:
            assert [(p.transfer, p.since) for p in self.pool.queue(sender)] == self.model.queues.get(sender, [])

    @invariant()
    def what_still_fits_needs_no_other_check(self) -> None:
        if self.checked is not None and self.pool.still_fits(*self.checked):
            assert self.verdict(self.checked[0]) == ""

    @invariant()
    def queues_are_sound(self) -> None:
        """Consecutive from the account's sequence, covered by its balance, not too long."""
        if not self.pool.is_settled:
            return
        for queue in self.pool.queues():
            sender = queue[0].transfer.sender
            account = self.chain.account(sender)
            sequences = [pending.transfer.sequence for pending in queue]
            assert sequences == list(range(account.sequence, account.sequence + len(queue)))
            assert sum(cost(pending.transfer) for pending in queue) <= account.balance
            assert len(queue) <= MAX_PENDING
            assert self.pool.next_sequence(sender) == account.sequence + len(queue)

    @invariant()
    def counts_are_exact(self) -> None:
        entries = list(self.pool.entries())
        assert len(self.pool) == len(entries) == sum(len(queue) for queue in self.pool.queues())
        assert self.pool.bytes == sum(len(pending.transfer.raw) for pending in entries)
        assert all(self.pool.get(pending.transfer.txid) is pending for pending in entries)
        assert [pending.since for pending in entries] == sorted(pending.since for pending in entries)
        if self.pool.is_settled:
            assert self.pool.bytes <= self.pool.limits.max_bytes


def run(machine: type[MempoolMachine], histories: int) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=histories, stateful_step_count=STEPS))


in_both_forms = pytest.mark.parametrize(
    "histories", [HISTORIES, pytest.param(LONG_HISTORIES, marks=(pytest.mark.long, pytest.mark.timeout(1_800)))]
)


@in_both_forms
def test_mempool_agrees_with_lists(histories: int) -> None:
    run(MempoolMachine, histories)


class HurriedMachine(MempoolMachine):
    """As above, but tips move faster than the pool is settled. A transfer that fits again when its queue is rebuilt may
    be kept, so there is more than one correct content.
    """

    def move(self, depth: int, branch: list[list[Transfer]]) -> None:
        undone = [self.chain.disconnect() for _ in range(depth)]
        returned = [tx for transfers in reversed(undone) for tx in transfers]
        mined = [tx for transfers in branch for tx in self.chain.connect(transfers)]
        self.known |= {tx.txid: tx for tx in mined}
        self.pool.rebase(list(self.chain.accounts), returned, [tx.txid for tx in mined], self.wall_s)

    def offer(self, new: Transfer) -> None:
        self.known[new.txid] = new
        if not self.verdict(new):
            self.pool.add(new, self.wall_s)
            self.added.add(new.txid)

    @invariant()
    def the_same_transfers_are_pending(self) -> None:
        """Follow the pool: here the model's queues are only used to choose what to replace and to mine."""
        self.model.queues = {
            queue[0].transfer.sender: [(pending.transfer, pending.since) for pending in queue]
            for queue in self.pool.queues()
        }


@in_both_forms
def test_hurried_mempool_stays_sound(histories: int) -> None:
    run(HurriedMachine, histories)
