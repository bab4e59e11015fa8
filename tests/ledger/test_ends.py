"""The heap of queue ends against sorting, under random changes of the queues."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.ledger.ends import SLACK, STEP, QueueEnds
from pychain.ledger.pending import Pending, Queue
from tests.ledger.pool_model import key, rate, transfer


class Queues:
    """Queues that change at random, and their ends."""

    def __init__(self, seed: int, accounts: int) -> None:
        self.random = Random(seed)
        self.accounts = [key(number) for number in range(accounts)]
        self.table: dict[bytes, Queue] = {}
        self.ends = QueueEnds(self.table)
        self.marks = 0

    def change(self) -> None:
        """An account's queue grows, loses its end or its head, or ends; its new end is pushed."""
        sender = self.random.choice(self.accounts)
        before = self.table.get(sender, ())
        kind = self.random.choice(["grow", "grow", "pop", "mined", "gone"])
        if kind == "grow":
            self.marks += 1
            size = self.random.choice([0, 0, 100])
            new = transfer(sender, self.marks, self.random.randrange(6) * 100, memo=size, mark=self.marks)
            after = (*before, Pending(new, 0))
        else:
            after = {"pop": before[:-1], "mined": before[1:], "gone": ()}[kind]
        self.table.pop(sender, None)
        if after:
            self.table[sender] = after
            if not before or before[-1] is not after[-1]:
                self.ends.push(after[-1])

    def cheapest(self, excess: int, exempt: bytes | None) -> list[Pending]:
        """By sorting, one after the other."""
        queues = {sender: list(queue) for sender, queue in self.table.items() if sender != exempt}
        chosen = []
        while excess > 0 and any(queues.values()):
            ends = [queue[-1] for queue in queues.values() if queue]
            chosen.append(min(ends, key=lambda end: (rate(end.transfer), end.transfer.txid)))
            queues[chosen[-1].transfer.sender].pop()
            excess -= len(chosen[-1].transfer.raw)
        return chosen


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_the_cheapest_are_found_at_any_time(seed: int, accounts: int) -> None:
    queues = Queues(seed, accounts)
    for _ in range(400):
        queues.change()
        if queues.random.random() < 0.3:
            exempt = queues.random.choice([None, *queues.accounts])
            excess = queues.random.choice([-5, 0, 1, 155, 156, 1_000, 10**6])
            assert queues.ends.cheapest(excess, exempt) == queues.cheapest(excess, exempt)


def test_the_heap_stays_in_proportion() -> None:
    """However often queues change and are read, there are few entries per account."""
    queues = Queues(1, 200)
    most = 0
    for turn in range(30_000):
        queues.change()
        if turn % 7 == 0:
            queues.ends.cheapest(600)
        most = max(most, len(queues.ends))
    # the old heap at its largest, what is pushed while the new one is built, and the new one
    assert most <= (SLACK + 1) * 200 + 64 + 2 * (200 // STEP + 1)
    assert queues.ends.cheapest(10**9) == queues.cheapest(10**9, None)
