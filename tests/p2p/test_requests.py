"""Requests: one announcer is asked at a time, and no lying peer withholds an object that an honest peer has."""

from __future__ import annotations

import sys

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pychain.base.time import NS, Now
from pychain.p2p import limits
from pychain.p2p.messages import Kind, Want
from pychain.p2p.peer import Peer
from pychain.p2p.requests import RequestTracker
from tests.p2p.recording import START_S, RecordingWire, at, digest, make_hello, make_peer

TIMEOUT_NS = 5 * NS


def a_peer(peer_id: int) -> Peer:
    """Inbound below 100, outbound above."""
    return make_peer(peer_id, inbound=peer_id < 100, hello=make_hello())


def setup(outbound: int = 0, inbound: int = 3) -> tuple[RecordingWire, RequestTracker]:
    """A tracker with inbound peers 1, 2, ... and outbound peers 101, 102, ..."""
    wire = RecordingWire()
    tracker = RequestTracker(wire, TIMEOUT_NS)
    for peer_id in range(1, inbound + 1):
        tracker.peer_ready(a_peer(peer_id), at(0))
    for peer_id in range(101, 101 + outbound):
        tracker.peer_ready(a_peer(peer_id), at(0))
    return wire, tracker


def asked(wire: RecordingWire) -> list[tuple[int, list[bytes]]]:
    """The requests since the last call."""
    return [(peer_id, list(want.hashes)) for peer_id, want in wire.take_sent() if isinstance(want, Want)]


def test_the_first_announcer_is_asked_alone() -> None:
    wire, tracker = setup()
    for peer_id in (2, 1, 3):
        tracker.announced(peer_id, [digest(0)], at(0))
    assert asked(wire) == [(2, [digest(0)])]
    tracker.received([digest(0)], at(1))
    assert len(tracker) == 0
    assert tracker.deadline() is None
    tracker.poll(at(100))
    assert asked(wire) == []


def test_an_answered_request_keeps_nothing_alive() -> None:
    """Nor does it have to be polled for that: a busy node polls only what is due."""
    wire, tracker = setup()
    txids = [digest(number) for number in range(1_000)]
    references = [sys.getrefcount(txid) for txid in txids]
    for start in range(0, len(txids), 10):
        tracker.announced(1, txids[start : start + 10], at(0))
        asked(wire)
        tracker.received(txids[start : start + 10], at(0))
    assert [sys.getrefcount(txid) for txid in txids] == references


def test_wants_are_batched_by_peer() -> None:
    wire, tracker = setup()
    tracker.announced(1, map(digest, range(5)), at(0))
    tracker.announced(2, map(digest, range(3, 9)), at(0))
    batches = [(1, range(5)), (2, range(5, 9))]
    assert wire.take_sent() == [(peer, Want(Kind.TRANSACTION, tuple(map(digest, batch)))) for peer, batch in batches]


def test_a_silent_announcer_costs_one_timeout() -> None:
    wire, tracker = setup()
    for peer_id in (1, 2, 3):
        tracker.announced(peer_id, [digest(0)], at(0))
    asked(wire)
    assert tracker.deadline() == at(5).mono_ns
    tracker.poll(at(4.999))
    assert asked(wire) == []
    tracker.poll(at(5))
    assert asked(wire) == [(2, [digest(0)])]
    tracker.poll(at(10))
    assert asked(wire) == [(3, [digest(0)])]
    tracker.poll(at(15))
    assert asked(wire) == []
    assert len(tracker) == 0


@pytest.mark.parametrize("how", ["missing", "closed"])
def test_the_next_is_asked_at_once_when_the_asked_one_cannot(how: str) -> None:
    wire, tracker = setup()
    for peer_id in (1, 2):
        tracker.announced(peer_id, [digest(0), digest(1)], at(0))
    asked(wire)
    if how == "missing":
        tracker.missing(1, [digest(0), digest(1), digest(7)], at(1))
    else:
        tracker.peer_closed(a_peer(1), at(1))
    assert asked(wire) == [(2, [digest(0), digest(1)])]
    assert tracker.deadline() == at(6).mono_ns


def test_outbound_announcers_go_before_inbound_ones() -> None:
    wire, tracker = setup(outbound=2)
    for peer_id in (1, 2, 102, 3, 101):
        tracker.announced(peer_id, [digest(0)], at(0))
    order = asked(wire)
    for _ in range(4):
        tracker.poll(at(tracker_deadline(tracker)))
        order += asked(wire)
    assert [peer_id for peer_id, _ in order] == [1, 102, 101, 2, 3]


def tracker_deadline(tracker: RequestTracker) -> float:
    deadline = tracker.deadline()
    assert deadline is not None
    return deadline / NS


def test_a_liar_who_let_a_request_pass_is_asked_last() -> None:
    wire, tracker = setup(outbound=1, inbound=3)
    liar = 101
    tracker.announced(liar, [digest(0)], at(0))
    tracker.poll(at(5))
    asked(wire)
    for peer_id in (1, liar, 2):
        tracker.announced(peer_id, [digest(1)], at(6))
    for reply_s in (7, 8):
        tracker.missing(asked_last(wire, 1), [digest(1)], at(reply_s))
    assert [peer_id for peer_id, _ in asked(wire)] == [1, 2, liar], "though outbound, and before peer 2"
    tracker.received([digest(1)], at(9))
    for peer_id in (1, 2, liar):
        tracker.announced(peer_id, [digest(2)], at(10))
    tracker.missing(1, [digest(2)], at(10))
    assert asked_last(wire, 2) == liar, "a delivery restores its rank"


def asked_last(wire: RecordingWire, number: int) -> int:
    """The last peer asked for an object."""
    return [peer_id for peer_id, want in wire.sent if isinstance(want, Want) and digest(number) in want.hashes][-1]


def test_announcing_again_brings_no_second_turn() -> None:
    wire, tracker = setup(outbound=1, inbound=1)
    tracker.announced(101, [digest(0)], at(0))
    tracker.announced(1, [digest(0)], at(0))
    asked(wire)
    tracker.missing(101, [digest(0)], at(1))
    assert asked(wire) == [(1, [digest(0)])]
    tracker.announced(101, [digest(0)], at(1))
    tracker.poll(at(6))
    assert asked(wire) == []
    assert len(tracker) == 0


def test_requests_to_one_peer_are_bounded_and_flow_on_as_answers_come() -> None:
    wire, tracker = setup(inbound=1)
    count = 3 * limits.MAX_REQUESTS_IN_FLIGHT + 7
    tracker.announced(1, map(digest, range(count)), at(0))
    got = 0
    wants = 0
    while waves := asked(wire):
        for _, wave in waves:
            assert wave == list(map(digest, range(got, got + len(wave))))
            got += len(wave)
            wants += 1
            for object_hash in wave:
                assert tracker.in_flight(1) <= limits.MAX_REQUESTS_IN_FLIGHT
                tracker.received([object_hash], at(1))
    assert got == count
    assert wants < 12, "answers that come one by one do not make wants of one hash"


def test_what_a_busy_peer_cannot_take_goes_to_another() -> None:
    wire, tracker = setup(inbound=2)
    count = limits.MAX_REQUESTS_IN_FLIGHT + 5
    tracker.announced(1, map(digest, range(count)), at(0))
    tracker.announced(2, map(digest, range(count)), at(0))
    assert [(peer, len(hashes)) for peer, hashes in asked(wire)] == [(1, limits.MAX_REQUESTS_IN_FLIGHT), (2, 5)]


def test_nobody_is_left_idle_when_two_become_free_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REQUESTS_IN_FLIGHT", 2)
    wire, tracker = setup(inbound=1, outbound=1)
    tracker.announced(1, map(digest, (0, 1)), at(0))
    tracker.announced(101, map(digest, (2, 3)), at(0))
    for peer_id in (1, 101):
        tracker.announced(peer_id, map(digest, range(4, 8)), at(0))
    asked(wire)
    tracker.received(map(digest, range(4)), at(1))
    assert [tracker.in_flight(peer_id) for peer_id in (1, 101)] == [2, 2]


def test_announcements_of_one_peer_are_bounded() -> None:
    _, tracker = setup(inbound=1)
    tracker.announced(1, map(digest, range(6000)), at(0))
    assert len(tracker) == 5000
    tracker.peer_closed(a_peer(1), at(0))
    assert len(tracker) == 0


def test_a_crowd_that_announces_all_it_may_leaves_the_others_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OBJECTS_TRACKED", 600)
    wire, tracker = setup(inbound=5, outbound=1)
    for liar in range(1, 6):
        tracker.announced(liar, map(digest, range(1000 * liar, 1000 * liar + 400)), at(0))
    assert 600 <= len(tracker) <= 1200
    asked(wire)
    tracker.announced(101, map(digest, range(150)), at(0))
    assert asked(wire) == [(101, list(map(digest, range(100))))]
    tracker.received(map(digest, range(100)), at(1))
    tracker.announced(101, map(digest, range(100, 150)), at(1))
    assert asked(wire) == [(101, list(map(digest, range(100, 150))))]


def test_unknown_peers_and_objects_are_ignored() -> None:
    wire, tracker = setup(inbound=1)
    tracker.announced(9, [digest(0)], at(0))
    tracker.missing(9, [digest(0)], at(0))
    tracker.missing(1, [digest(0)], at(0))
    tracker.received([digest(0)], at(0))
    tracker.peer_closed(a_peer(9), at(0))
    assert len(tracker) == tracker.in_flight(9) == 0
    assert wire.sent == []


class Tracker(RuleBasedStateMachine):
    """Any order of events, checked from outside: one is asked at a time, and every announcer is asked eventually."""

    PEERS = (1, 2, 3, 101, 102)
    OBJECTS = 12

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "MAX_REQUESTS_IN_FLIGHT", 3)
        self.patch.setattr(limits, "MAX_ANNOUNCED_BY_PEER", 8)
        self.wire = RecordingWire()
        self.tracker = RequestTracker(self.wire, TIMEOUT_NS)
        self.now = Now(0, START_S)
        self.present: dict[int, None] = {}
        self.could: dict[int, dict[int, None]] = {}
        """Object -> peers that announced it and have not failed."""
        self.failed: dict[int, dict[int, None]] = {}
        """Object -> peers that did not deliver it, or said that they lack it, while it was wanted."""
        self.pending: dict[int, tuple[int, int]] = {}
        """Object -> the peer asked, and until when."""

    def teardown(self) -> None:
        self.patch.undo()

    def take_wants(self) -> None:
        for peer_id, want in self.wire.take_sent():
            assert isinstance(want, Want)
            for object_hash in want.hashes:
                number = NUMBERS[object_hash]
                assert number not in self.pending, "asked of two at once"
                assert peer_id in self.could[number], "asked of one who never announced it, or failed before"
                assert peer_id in self.present
                self.pending[number] = (peer_id, self.now.mono_ns + TIMEOUT_NS)

    def drop(self, number: int, peer_id: int) -> None:
        """The object can no longer come from this peer."""
        if self.pending.get(number, (None,))[0] == peer_id:
            del self.pending[number]
        del self.could[number][peer_id]
        if not self.could[number]:
            del self.could[number]
            self.failed.pop(number, None)

    def fail(self, number: int, peer_id: int) -> None:
        self.failed.setdefault(number, {})[peer_id] = None
        self.drop(number, peer_id)

    @rule(peer_id=st.sampled_from(PEERS))
    def join(self, peer_id: int) -> None:
        if peer_id not in self.present:
            self.present[peer_id] = None
            self.tracker.peer_ready(a_peer(peer_id), self.now)

    @rule(peer_id=st.sampled_from(PEERS), numbers=st.lists(st.integers(0, OBJECTS - 1), max_size=6))
    def announce(self, peer_id: int, numbers: list[int]) -> None:
        tracked = {number for number, peers in self.could.items() if peer_id in peers}
        for number in numbers:
            if peer_id in self.present and len(tracked) < 8 and peer_id not in self.failed.get(number, {}):
                tracked.add(number)
                self.could.setdefault(number, {})[peer_id] = None
        self.tracker.announced(peer_id, map(digest, numbers), self.now)
        self.take_wants()

    @rule(numbers=st.lists(st.integers(0, OBJECTS - 1), max_size=4))
    def deliver(self, numbers: list[int]) -> None:
        for number in numbers:
            for model in (self.could, self.failed, self.pending):
                model.pop(number, None)
        self.tracker.received(map(digest, numbers), self.now)
        self.take_wants()

    @rule(peer_id=st.sampled_from(PEERS), number=st.integers(0, OBJECTS - 1))
    def lack(self, peer_id: int, number: int) -> None:
        if peer_id in self.could.get(number, {}):
            self.fail(number, peer_id)
        self.tracker.missing(peer_id, [digest(number)], self.now)
        self.take_wants()

    @rule(peer_id=st.sampled_from(PEERS))
    def leave(self, peer_id: int) -> None:
        self.present.pop(peer_id, None)
        for number in [number for number, peers in self.could.items() if peer_id in peers]:
            self.drop(number, peer_id)
        self.tracker.peer_closed(a_peer(peer_id), self.now)
        self.take_wants()

    @rule(step_ns=st.integers(0, 6 * NS))
    def wait(self, step_ns: int) -> None:
        self.now = Now(self.now.mono_ns + step_ns, self.now.wall_s)
        for number, (peer_id, until_ns) in list(self.pending.items()):
            if until_ns <= self.now.mono_ns:
                self.fail(number, peer_id)
        self.tracker.poll(self.now)
        self.take_wants()

    @invariant()
    def agrees(self) -> None:
        assert len(self.tracker) == len(self.could)
        assert self.tracker.deadline() == min((until for _, until in self.pending.values()), default=None)
        loads = dict.fromkeys(self.present, 0)
        for peer_id, _ in self.pending.values():
            loads[peer_id] += 1
        assert all(load <= 3 for load in loads.values())
        assert all(self.tracker.in_flight(peer_id) == load for peer_id, load in loads.items())
        for number, peers in self.could.items():
            if number not in self.pending:
                assert all(loads[peer_id] >= 2 for peer_id in peers), "somebody half idle could have been asked"


NUMBERS = {digest(number): number for number in range(Tracker.OBJECTS)}


TestTracker = Tracker.TestCase
