"""Header sync: the table of states, and which peers are asked for which headers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.time import NS, Now
from pychain.p2p import limits
from pychain.p2p.header_states import TRANSITIONS, HeaderEvent, HeaderState, next_state
from pychain.p2p.header_sync import HeaderCheck, HeaderSync
from pychain.p2p.messages import GetHeaders
from pychain.p2p.sources import Source
from tests.p2p.recording import START_S, RecordingWire, at, digest, make_hello, make_peer

BEST = digest(100)
"""Our best header."""
TIMEOUT_S = limits.HEADERS_TIMEOUT_NS / NS
NOTHING = HeaderCheck(answered=True)


class View:
    """A chain that consists of works alone."""

    def __init__(self, best_work: int) -> None:
        self.best_work = best_work
        self.works: dict[bytes, int] = {}

    def best_header_work(self) -> int:
        return self.best_work

    def locator(self, block_hash: bytes | None) -> Sequence[bytes]:
        return (block_hash or BEST, digest(0))

    def work(self, block_hash: bytes) -> int:
        return self.works.get(block_hash, 0)


class Sync:
    """Header sync between a wire and a view, and the peers that the owner keeps."""

    def __init__(self, *claims: int, best_work: int = 10) -> None:
        """Outbound peers 1, 2, ... with the work that they claim."""
        self.wire = RecordingWire()
        self.view = View(best_work)
        self.sources: dict[int, Source] = {}
        self.busy: dict[int, Source] = {}
        self.headers = HeaderSync(self.wire, self.view, self.sources, self.busy)
        for claim in claims:
            self.join(claim)

    def join(self, claim: int, *, inbound: bool = False) -> Source:
        peer_id = len(self.sources) + 1
        peer = make_peer(peer_id, inbound=inbound, hello=make_hello(), wire=self.wire)
        source = self.sources[peer_id] = Source(peer, claim)
        self.headers.reconsider()
        return source

    def header(self, number: int, work: int) -> bytes:
        """A known header of a chain with this much work."""
        self.view.works[digest(number)] = work
        return digest(number)

    def asked(self) -> list[tuple[int, tuple[bytes, ...]]]:
        """The peers asked since the last call, with the locators."""
        got = []
        for peer_id, message in self.wire.take_sent():
            assert isinstance(message, GetHeaders)
            assert message.stop == bytes(32)
            got.append((peer_id, message.locator))
        return got

    def asks_best(self, moment: float = 0) -> list[int]:
        self.headers.ask_best(at(moment))
        return [peer_id for peer_id, _ in self.asked()]


OURS = (BEST, digest(0))
"""The locator from our best chain."""


# --- the table


def test_every_state_has_a_row() -> None:
    assert list(TRANSITIONS) == list(HeaderState)


def test_every_state_is_reached_and_every_event_occurs() -> None:
    reached = [HeaderState.IDLE]
    for state in reached:  # which grows meanwhile
        reached += [following for following in TRANSITIONS[state].values() if following not in reached]
    assert set(reached) == set(HeaderState)
    assert {event for row in TRANSITIONS.values() for event in row} == set(HeaderEvent)


def test_there_may_be_a_reason_to_ask_in_any_state() -> None:
    assert all(HeaderEvent.ASK in row for row in TRANSITIONS.values())


@pytest.mark.parametrize("state", HeaderState)
@pytest.mark.parametrize("event", HeaderEvent)
def test_an_impossible_event_is_a_bug(state: HeaderState, event: HeaderEvent) -> None:
    if event in TRANSITIONS[state]:
        assert next_state(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(AssertionError, match=f"{event.value} cannot happen"):
            next_state(state, event)


# --- each transition


def state(source: Source) -> HeaderState:
    """Its state now, hidden from the type checker's narrowing."""
    return source.headers


def test_who_is_asked_owes_an_answer_in_time() -> None:
    sync = Sync(0)
    source = sync.sources[1]
    sync.headers.ask(source, at(3))
    assert source.headers is HeaderState.ASKED
    assert source.headers_due_ns == at(3 + TIMEOUT_S).mono_ns
    assert sync.busy == {1: source}
    assert sync.asked() == [(1, OURS)]


def test_who_owes_an_answer_is_not_asked_again() -> None:
    sync = Sync(0)
    source = sync.sources[1]
    for moment in range(3):
        sync.headers.ask(source, at(moment))
    assert source.headers is HeaderState.ASKED
    assert source.headers_due_ns == at(TIMEOUT_S).mono_ns, "and has no more time for it"
    assert len(sync.asked()) == 1


def test_one_message_answers_and_the_next_is_an_announcement() -> None:
    sync = Sync(0)
    source = sync.sources[1]
    assert not sync.headers.answered(source)
    assert state(source) is HeaderState.IDLE
    sync.headers.ask(source, at(0))
    assert sync.headers.answered(source)
    assert state(source) is HeaderState.CHECKING
    assert source.headers_due_ns is None
    assert not sync.headers.answered(source)
    assert state(source) is HeaderState.CHECKING


def test_a_judged_answer_settles_what_was_owed() -> None:
    sync = Sync(0)
    source = sync.sources[1]
    sync.headers.ask(source, at(0))
    sync.headers.answered(source)
    sync.asked()
    sync.headers.checked(source, NOTHING, at(1))
    assert source.headers is HeaderState.IDLE
    assert sync.asked() == []


@pytest.mark.parametrize("times", [1, 3])
def test_who_is_being_judged_is_asked_once_more_afterwards(times: int) -> None:
    sync = Sync(0)
    source = sync.sources[1]
    sync.headers.ask(source, at(0))
    sync.headers.answered(source)
    sync.asked()
    for _ in range(times):
        sync.headers.ask(source, at(1))
        assert source.headers is HeaderState.CHECKING_ASK_AGAIN
    assert not sync.headers.answered(source), "nothing was asked yet"
    assert sync.asked() == []
    sync.headers.checked(source, NOTHING, at(2))
    assert source.headers is HeaderState.ASKED
    assert source.headers_due_ns == at(2 + TIMEOUT_S).mono_ns
    assert sync.asked() == [(1, OURS)]


@pytest.mark.parametrize("how", ["full", "resume"])
def test_who_is_asked_for_more_anyway_is_not_asked_twice(how: str) -> None:
    sync = Sync(0)
    source = sync.sources[1]
    last = sync.header(1, 50)
    sync.headers.ask(source, at(0))
    sync.headers.answered(source)
    sync.headers.ask(source, at(0))
    sync.asked()
    full = HeaderCheck(answered=True, last=last, count=limits.MAX_HEADERS)
    sync.headers.checked(source, full if how == "full" else HeaderCheck(answered=True, resume=(last, digest(2))), at(1))
    ((_, locator),) = sync.asked()
    assert locator == ((last, digest(0)) if how == "full" else (digest(2), last, digest(0)))
    assert source.headers is HeaderState.ASKED


def test_silence_is_given_up_in_time_and_claims_are_believed_no_longer() -> None:
    sync = Sync(90, 80)
    first, second = sync.sources.values()
    assert sync.asks_best() == [1]
    sync.headers.overdue(first, at(TIMEOUT_S - 0.001))
    sync.headers.overdue(second, at(1000))
    assert state(first) is HeaderState.ASKED
    assert sync.asks_best(TIMEOUT_S - 0.001) == []
    sync.headers.overdue(first, at(TIMEOUT_S))
    assert state(first) is HeaderState.IDLE
    assert first.headers_due_ns is None
    assert first.claimed_work == 0
    assert sync.asks_best(TIMEOUT_S) == [2]
    assert not sync.headers.answered(first), "what comes too late is an announcement"


def test_no_time_runs_while_an_answer_is_checked() -> None:
    sync = Sync(0)
    source = sync.sources[1]
    sync.headers.ask(source, at(0))
    sync.headers.answered(source)
    sync.headers.overdue(source, at(1000))
    assert source.headers is HeaderState.CHECKING


@pytest.mark.parametrize("state", [HeaderState.IDLE, HeaderState.ASKED, HeaderState.CHECKING_ASK_AGAIN])
def test_the_judgement_of_an_announcement_changes_no_state(state: HeaderState) -> None:
    sync = Sync(0)
    source = sync.sources[1]
    source.headers = state
    sync.headers.checked(source, HeaderCheck(answered=False, last=sync.header(1, 30), count=1), at(0))
    assert source.headers is state
    assert (source.best, source.claimed_work) == (digest(1), 30), "but it has shown that it has them"
    assert sync.asked() == []


def test_an_answer_that_nobody_asked_for_is_a_bug() -> None:
    sync = Sync(0)
    with pytest.raises(AssertionError, match="checked cannot happen"):
        sync.headers.checked(sync.sources[1], NOTHING, at(0))


# --- results


def answer(sync: Sync, peer_id: int, result: HeaderCheck) -> None:
    """The answer of a peer that was asked."""
    assert sync.headers.answered(sync.sources[peer_id])
    sync.asked()
    sync.headers.checked(sync.sources[peer_id], result, at(1))


def test_after_a_full_answer_it_goes_on_from_the_last_header() -> None:
    sync = Sync(90)
    sync.asks_best()
    last = sync.header(1, 50)
    answer(sync, 1, HeaderCheck(answered=True, last=last, count=limits.MAX_HEADERS))
    assert sync.asked() == [(1, (last, digest(0)))]


def test_a_chain_that_is_not_stored_yet_is_resumed_beyond_what_we_keep() -> None:
    sync = Sync(90)
    sync.asks_best()
    answer(sync, 1, HeaderCheck(answered=True, resume=(digest(5), digest(7))))
    assert sync.asked() == [(1, (digest(7), digest(5), digest(0)))]


def test_who_has_no_more_is_believed_what_it_showed() -> None:
    sync = Sync(90)
    sync.asks_best()
    answer(sync, 1, HeaderCheck(answered=True, last=sync.header(1, 50), count=3, ended=True))
    assert sync.sources[1].claimed_work == 50


def test_a_peer_that_has_more_keeps_its_claim_and_is_asked_again() -> None:
    sync = Sync(90)
    sync.asks_best()
    answer(sync, 1, HeaderCheck(answered=True, last=sync.header(1, 50), count=3))
    assert sync.sources[1].claimed_work == 90
    assert sync.asks_best(2) == [1]


def test_the_heaviest_that_was_shown_counts() -> None:
    sync = Sync(0)
    source = sync.sources[1]
    for number, work in enumerate((20, 60, 40)):
        sync.headers.checked(source, HeaderCheck(answered=False, last=sync.header(number, work), count=1), at(0))
    assert (source.best, source.claimed_work) == (digest(1), 60)


# --- choosing a peer


def test_the_greatest_claim_is_asked_first_and_alone() -> None:
    sync = Sync(50, 90, 70)
    assert sync.asks_best() == [2]
    assert sync.asks_best() == []


def test_outbound_peers_are_asked_before_inbound_ones() -> None:
    sync = Sync()
    sync.join(10**9, inbound=True)
    sync.join(50)
    assert sync.asks_best() == [2]


def test_inbound_peers_are_asked_where_no_other_claims_more() -> None:
    sync = Sync(10)
    sync.join(11, inbound=True)
    assert sync.asks_best() == [2]


def test_who_claims_no_more_than_we_know_is_asked_what_it_has() -> None:
    """All peers that have shown nothing are asked at once; a claim of no work needs no proof."""
    sync = Sync(10, 3, 0, 9)
    sync.sources[2].best = sync.header(2, 3)
    assert sync.asks_best() == [1, 4]


def test_who_leaves_is_not_asked() -> None:
    sync = Sync(90, 50)
    sync.sources[1].peer.closed()
    assert sync.asks_best() == [2]


def test_a_chain_through_an_invalid_block_claims_nothing() -> None:
    sync = Sync(90, 50)
    sync.sources[1].best = sync.header(1, 0)
    assert sync.asks_best() == [2]


@pytest.mark.parametrize("change", ["our work", "a claim"])
def test_a_crowd_with_nothing_new_is_looked_at_once(change: str) -> None:
    sync = Sync(10)
    source = sync.sources[1]
    source.best = sync.header(1, 10)
    assert sync.asks_best() == []
    source.claimed_work = 90
    assert sync.asks_best() == [], "nobody has said that it changed"
    if change == "our work":
        sync.view.best_work = 11
    else:
        sync.headers.reconsider()
    assert sync.asks_best() == [1]


steps = st.lists(
    st.tuples(
        st.sampled_from(("ask", "answer", "announce", "judge", "wait", "poll")),
        st.integers(1, 3),
        st.sampled_from((0, 1, limits.MAX_HEADERS)),
    ),
    max_size=40,
)


@given(steps)
def test_each_question_is_answered_or_given_up_before_the_next(taken: list[tuple[str, int, int]]) -> None:
    """Any order of events follows the table, and no peer has two pending requests."""
    sync = Sync(30, 20, 0)
    owed = dict.fromkeys(sync.sources, 0)
    now = Now(0, START_S)
    for action, number, count in taken:
        source = sync.sources[number]
        before = source.headers
        match action:
            case "ask":
                sync.headers.ask(source, now)
            case "answer":
                owed[number] -= sync.headers.answered(source)
            case "announce":
                sync.headers.checked(source, HeaderCheck(answered=False, last=sync.header(number, count), count=1), now)
            case "judge" if before in (HeaderState.CHECKING, HeaderState.CHECKING_ASK_AGAIN):
                last = sync.header(number, count) if count else None
                sync.headers.checked(source, HeaderCheck(answered=True, last=last, count=count, ended=count == 1), now)
                if before is HeaderState.CHECKING_ASK_AGAIN:
                    assert source.headers is HeaderState.ASKED
            case "wait":
                now = Now(now.mono_ns + 4 * NS, now.wall_s)
                for peer_id, each in sync.sources.items():
                    was_asked = each.headers is HeaderState.ASKED
                    sync.headers.overdue(each, now)
                    owed[peer_id] -= was_asked and each.headers is HeaderState.IDLE
            case _:
                sync.headers.ask_best(now)
        for peer_id, _ in sync.asked():
            owed[peer_id] += 1
        for peer_id, each in sync.sources.items():
            assert owed[peer_id] == (each.headers is HeaderState.ASKED)
            assert (each.headers_due_ns is not None) == (each.headers is HeaderState.ASKED)
