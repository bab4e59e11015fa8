"""Deadlines: nobody is polled too late, those that are due together in order, and what is replaced does not pile up."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pychain.base.deadlines import Deadlines, Wake
from pychain.base.time import Now

PARTS = 4
SPANS = st.integers(0, 50)


class Part:
    """Wants to be polled at a time that the test sets; notes each poll in a list that all share."""

    def __init__(self, number: int, polls: list[int], deadlines: Deadlines) -> None:
        self.number = number
        self.wanted: int | None = None
        self.during_poll: list[tuple[Wake, int]] = []
        """Whom it wakes in its next poll, for when."""
        self._polls = polls
        self.wake = deadlines.add(self)

    def poll(self, now: Now) -> None:
        self._polls.append(self.number)
        woken, self.during_poll = self.during_poll, []
        for wake, at_ns in woken:
            wake(at_ns)

    def deadline(self) -> int | None:
        return self.wanted


class DeadlinesMachine(RuleBasedStateMachine):
    """Deadlines against a plain list of times, one for each part."""

    def __init__(self) -> None:
        super().__init__()
        self.deadlines = Deadlines()
        self.polls: list[int] = []
        self.parts = [Part(number, self.polls, self.deadlines) for number in range(PARTS)]
        self.model: list[int | None] = [None] * PARTS
        """For each part the earliest of its deadline after the last poll and its wakes since."""
        self.promised: list[tuple[int, int, int]] = []
        """Who will wake whom in its next poll, for when."""
        self.now_ns = 0

    def model_wake(self, number: int, at_ns: int) -> None:
        before = self.model[number]
        self.model[number] = at_ns if before is None else min(before, at_ns)

    @rule(number=st.integers(0, PARTS - 1), span=st.none() | SPANS)
    def want(self, number: int, span: int | None) -> None:
        """What it will say after its next poll."""
        self.parts[number].wanted = None if span is None else self.now_ns + span

    @rule(number=st.integers(0, PARTS - 1), span=SPANS)
    def wake(self, number: int, span: int) -> None:
        self.parts[number].wake(self.now_ns + span)
        self.model_wake(number, self.now_ns + span)

    @rule(number=st.integers(0, PARTS - 1))
    def wake_at_once(self, number: int) -> None:
        self.parts[number].wake(0)
        self.model_wake(number, 0)

    @rule(waker=st.integers(0, PARTS - 1), woken=st.integers(0, PARTS - 1), span=SPANS)
    def wake_while_polled(self, waker: int, woken: int, span: int) -> None:
        """It will wake another, or itself, when it is polled."""
        self.parts[waker].during_poll.append((self.parts[woken].wake, self.now_ns + span))
        self.promised.append((waker, woken, self.now_ns + span))

    @rule(span=SPANS)
    def poll(self, span: int) -> None:
        self.now_ns += span
        self.polls.clear()
        self.deadlines.poll(Now(self.now_ns, 0))
        due = [number for number, at_ns in enumerate(self.model) if at_ns is not None and at_ns <= self.now_ns]
        assert self.polls == due, "all that are due and no others, each once, in the order in which they were added"
        for number in due:
            self.model[number] = None
        for number in due:
            for _, woken, at_ns in [each for each in self.promised if each[0] == number]:
                self.model_wake(woken, at_ns)
            wanted = self.parts[number].wanted
            if wanted is not None:
                self.model_wake(number, wanted)
        self.promised[:] = [each for each in self.promised if each[0] not in due]

    @invariant()
    def agrees(self) -> None:
        assert self.deadlines.next() == min((at_ns for at_ns in self.model if at_ns is not None), default=None)


TestDeadlines = DeadlinesMachine.TestCase


def test_without_parts_there_is_nothing_to_do() -> None:
    deadlines = Deadlines()
    deadlines.poll(Now(0, 0))
    assert deadlines.next() is None


def test_a_part_that_is_overdue_is_polled_again_at_the_next_turn_only() -> None:
    """So that one that never catches up cannot hold a turn for ever."""
    polls: list[int] = []
    deadlines = Deadlines()
    part = Part(7, polls, deadlines)
    part.wanted = 0
    part.wake(0)
    for turn in range(1, 4):
        deadlines.poll(Now(turn, 0))
        assert polls == [7] * turn
        assert deadlines.next() == 0


@pytest.mark.parametrize("how", ["ever earlier", "at once, with a deadline far away"])
def test_replaced_deadlines_do_not_pile_up(how: str) -> None:
    """Another part's time comes first, so what is replaced never reaches the top of the heap."""
    deadlines = Deadlines()
    first, busy = Part(0, [], deadlines), Part(1, [], deadlines)
    first.wake(10**6)
    for turn in range(10_000):
        if how == "ever earlier":
            busy.wake(10**9 - turn)
        else:
            busy.wanted = 10**9 + turn
            busy.wake(0)
            deadlines.poll(Now(1, 0))
    assert len(deadlines._heap) < 50
