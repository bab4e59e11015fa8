"""The small tools of the managers: timers, token buckets, random durations, saved tables."""

from __future__ import annotations

import statistics
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Meta, msgpack

from pychain.base.entropy import Random
from pychain.base.errors import DecodeError
from pychain.base.rate import Rate, TokenBucket
from pychain.base.time import NS
from pychain.p2p import saved
from pychain.p2p.buckets import MessageLimiter, cost
from pychain.p2p.draws import exponential, spread
from pychain.p2p.messages import Block, Inv, Kind, Ping, Txs
from pychain.p2p.timers import Timers
from tests.p2p.recording import digest
from tests.p2p.strategies import damaged


class TimersMachine(RuleBasedStateMachine):
    """Timers against a plain dict of times."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: Timers[int] = Timers()
        self.model: dict[int, tuple[int, int]] = {}
        self.serial = 0

    @rule(key=st.integers(0, 5), at_ns=st.integers(0, 100))
    def set(self, key: int, at_ns: int) -> None:
        self.serial += 1
        self.timers.set(key, at_ns)
        self.model[key] = (at_ns, self.serial)

    @rule(key=st.integers(0, 5))
    def cancel(self, key: int) -> None:
        self.timers.cancel(key)
        self.model.pop(key, None)

    @precondition(lambda self: self.model)
    @rule(mono_ns=st.integers(0, 100))
    def fire(self, mono_ns: int) -> None:
        due = sorted((when, key) for key, when in self.model.items() if when[0] <= mono_ns)
        assert list(self.timers.due(mono_ns)) == [key for _, key in due]
        for _, key in due:
            del self.model[key]

    @invariant()
    def agrees(self) -> None:
        assert self.timers.deadline() == min((when[0] for when in self.model.values()), default=None)
        assert len(self.timers) == len(self.model)
        assert all((key in self.timers) == (key in self.model) for key in range(6))


TestTimers = TimersMachine.TestCase


def test_timers_set_while_firing_fire_too_if_due() -> None:
    timers: Timers[str] = Timers()
    timers.set("first", 1)
    timers.set("third", 3)
    fired = []
    for key in timers.due(2):
        fired.append(key)
        if key == "first":
            timers.set("second", 2)
            timers.cancel("third")
    assert fired == ["first", "second"]
    assert timers.deadline() is None


def test_timers_that_are_moved_for_ever_stay_small() -> None:
    timers: Timers[int] = Timers()
    for moment in range(10_000):
        timers.set(moment % 3, moment)
    assert len(timers._heap) < 50


@given(st.integers(1, 1000), st.integers(1, 10**10), st.integers(0, 100), st.lists(st.integers(0, 10**9), max_size=30))
def test_a_bucket_gives_no_more_than_its_rate_and_wastes_nothing(
    tokens: int, period_ns: int, burst: int, steps: list[int]
) -> None:
    bucket = TokenBucket(Rate(tokens, period_ns, burst), 0)
    elapsed = taken = 0
    for step in [0, *steps]:
        elapsed += step
        while bucket.take(1, elapsed):
            taken += 1
        assert taken <= burst + elapsed * tokens // period_ns
    if burst >= 2 and all(step * tokens < period_ns for step in steps):  # drained before it could overflow
        assert taken == burst + elapsed * tokens // period_ns


def test_a_bucket_fills_to_its_burst_and_is_topped_up_to_two() -> None:
    bucket = TokenBucket(Rate(1, NS, 10), 0, initial=0)
    assert bucket.available(1000 * NS) == 10
    bucket.add(15, 1000 * NS)
    assert bucket.available(2000 * NS) == 20
    assert not bucket.take(21, 2000 * NS)
    assert bucket.take(20, 2000 * NS)
    assert bucket.available(2000 * NS) == 0


def test_messages_cost_what_they_name() -> None:
    assert cost(Ping(1)) == 1
    assert cost(Inv(Kind.BLOCK, (digest(1), digest(2)))) == 2
    assert cost(Txs((b"a", b"b", b"c"))) == 3


def test_each_peer_and_kind_has_its_own_bucket() -> None:
    limiter = MessageLimiter()
    allowed = 0
    while limiter.allows(1, Ping(1), 0):
        allowed += 1
    assert allowed == 60
    assert limiter.allows(2, Ping(1), 0)
    assert limiter.allows(1, Inv(Kind.BLOCK, (digest(1),)), 0)
    assert all(limiter.allows(1, Block(b""), 0) for _ in range(10_000))
    assert limiter.allows(1, Ping(1), NS)
    limiter.peer_closed(1)
    assert limiter.allows(1, Ping(1), 0)


@given(st.integers(0, 2**64 - 1))
def test_exponential_draws_have_their_mean_and_tail(seed: int) -> None:
    random = Random(seed)
    draws = [exponential(random, 1_000_000) for _ in range(4000)]
    # The mean of 4,000 has a standard error of 1.6 %, the share above it (1/e) one of 0.8 %: bounds at six of them.
    assert abs(statistics.fmean(draws) - 1_000_000) < 100_000
    assert abs(sum(draw > 1_000_000 for draw in draws) / len(draws) - 0.3679) < 0.048
    assert abs(sum(draw > 3_000_000 for draw in draws) / len(draws) - 0.0498) < 0.021


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**12))
def test_spread_stays_within_half_and_one_and_a_half(seed: int, span_ns: int) -> None:
    assert span_ns // 2 <= spread(Random(seed), span_ns) <= span_ns // 2 + span_ns


MAGIC = b"a table 1\n"
DECODER = msgpack.Decoder(Annotated[tuple[int, ...], Meta(max_length=10)])


@given(st.lists(st.integers(0, 2**64 - 1), max_size=10))
def test_saved_tables_read_back(rows: list[int]) -> None:
    assert saved.load(MAGIC, saved.dump(MAGIC, rows), DECODER) == tuple(rows)


@given(st.one_of(st.binary(max_size=60), damaged(st.just(saved.dump(MAGIC, [1, 2, 3])))))
def test_damaged_tables_raise_decode_error(data: bytes) -> None:
    if data != saved.dump(MAGIC, [1, 2, 3]):
        with pytest.raises(DecodeError):
            saved.load(MAGIC, data, DECODER)


@pytest.mark.parametrize("rows", [list(range(11)), ["text"], {"a": 1}, 5])
def test_tables_of_another_shape_raise_decode_error(rows: object) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        saved.load(MAGIC, saved.dump(MAGIC, rows), DECODER)


def test_a_table_of_another_kind_raises_decode_error() -> None:
    with pytest.raises(DecodeError, match="does not begin"):
        saved.load(b"b table 1\n", saved.dump(MAGIC, []), DECODER)
