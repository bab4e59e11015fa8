"""The controller of difficulty, and the meter of hash rates: pure functions of shares and time."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.base.entropy import Random
from pychain.base.time import NS
from pychain.stratum.difficulty import HASHES_PER_DIFFICULTY, MAX_DIFFICULTY
from pychain.stratum.server.limits import (
    IDLE_DIFFICULTY,
    MAX_RETARGET_FACTOR,
    MAX_WORKERS,
    RETARGET_SHARES,
    RETARGET_WINDOW_S,
    SHARE_PERIOD_S,
    START_DIFFICULTY,
)
from pychain.stratum.server.registry import Registry, ShareMeter
from pychain.stratum.server.vardiff import VarDiff

TICK_S = 2.0


def mine(vardiff: VarDiff, hash_rate: float, seconds: float, seed: int, meter: ShareMeter | None = None) -> int:
    """Find shares at random, at a hash rate, for a time; returns their number."""
    random, now, next_tick, shares = Random(seed), 0.0, TICK_S, 0
    while now < seconds:
        now += -math.log(1 - random.unit()) * vardiff.difficulty * HASHES_PER_DIFFICULTY / hash_rate
        if now >= next_tick:  # a search has no memory: it can start again from here
            now, next_tick = next_tick, next_tick + TICK_S
            vardiff.tick(round(now * NS))
            continue
        shares += 1
        if meter is not None:
            meter.add(vardiff.difficulty, round(now * NS))
        vardiff.share(vardiff.difficulty, round(now * NS))
    return shares


@settings(max_examples=40, deadline=None)
@given(st.floats(3.5, 14), st.integers(0, 2**32))
def test_every_miner_from_a_script_to_a_rack_of_asics_comes_to_its_share_rate(exponent: float, seed: int) -> None:
    """One in 1,500 is off at the end, after an unlucky window; the median of five miners is not."""
    hash_rate = 10**exponent
    vardiffs = [VarDiff(0) for _ in range(5)]
    shares = [mine(vardiff, hash_rate, 1200, seed + number) for number, vardiff in enumerate(vardiffs)]
    assert max(shares) < 10 * RETARGET_SHARES + 1200 / SHARE_PERIOD_S * 3, "no flood on the way there"
    ideal = max(hash_rate * SHARE_PERIOD_S / HASHES_PER_DIFFICULTY, IDLE_DIFFICULTY)
    assert ideal / 4 <= median([vardiff.difficulty for vardiff in vardiffs]) <= 4 * ideal
    assert all(math.log2(vardiff.difficulty).is_integer() for vardiff in vardiffs)


def test_a_window_without_shares_lowers_the_difficulty_but_not_for_ever() -> None:
    vardiff = VarDiff(0)
    before = vardiff.difficulty
    assert not vardiff.tick(RETARGET_WINDOW_S * NS - 1)
    assert vardiff.tick(RETARGET_WINDOW_S * NS)
    assert before / MAX_RETARGET_FACTOR <= vardiff.difficulty < before
    for window in range(2, 100):
        vardiff.tick(window * RETARGET_WINDOW_S * NS)
    assert vardiff.difficulty == IDLE_DIFFICULTY


@given(st.lists(st.tuples(st.floats(2.0**-32, 2.0**64), st.integers(0, 200 * NS)), max_size=100))
def test_no_step_is_larger_than_allowed(shares: list[tuple[float, int]]) -> None:
    vardiff, now = VarDiff(0), 0
    for difficulty, later in shares:
        now += later
        before = vardiff.difficulty
        changed = vardiff.share(difficulty, now) if later % 2 else vardiff.tick(now)
        assert changed == (vardiff.difficulty != before)
        assert before / MAX_RETARGET_FACTOR <= vardiff.difficulty <= before * MAX_RETARGET_FACTOR
        assert min(IDLE_DIFFICULTY, before) <= vardiff.difficulty <= MAX_DIFFICULTY


def test_shares_in_one_read_raise_it_at_once() -> None:
    vardiff = VarDiff(0)
    changes = [vardiff.share(vardiff.difficulty, 5) for _ in range(RETARGET_SHARES)]
    assert changes == [False] * (RETARGET_SHARES - 1) + [True]
    assert vardiff.difficulty == START_DIFFICULTY * MAX_RETARGET_FACTOR


def test_a_miner_s_requests() -> None:
    suggested, fixed, floored = VarDiff(0), VarDiff(0), VarDiff(0)
    suggested.suggest(0.3, 0)
    assert suggested.difficulty == 0.3
    fixed.fix(0.7)
    floored.demand(4)
    assert floored.difficulty == 4
    for window in range(1, 20):
        for each in (suggested, fixed, floored):
            each.tick(window * RETARGET_WINDOW_S * NS)
    assert suggested.difficulty == IDLE_DIFFICULTY, "a suggestion is where it begins"
    assert fixed.difficulty == 0.7
    assert floored.difficulty == 4
    low = VarDiff(0)
    low.suggest(2.0**-30, 0)
    low.tick(RETARGET_WINDOW_S * NS)
    assert low.difficulty == 2.0**-30, "an idle miner's own low choice is not raised"


@pytest.mark.parametrize("seed", range(3))
def test_the_meter_is_near_the_truth(seed: int) -> None:
    meter = ShareMeter(0)
    mine(VarDiff(0), 1e7, 1000, seed, meter)
    assert meter.rate(1000 * NS) == pytest.approx(1e7, rel=0.6)
    assert meter.rate(4000 * NS) < 1e3


def test_a_young_meter_divides_by_its_age_and_an_empty_one_by_nothing() -> None:
    meter = ShareMeter(0)
    assert meter.rate(0) == 0
    meter.add(1.0, NS)
    assert meter.rate(10 * NS) == pytest.approx(HASHES_PER_DIFFICULTY / 10, rel=0.03)


def test_workers_disconnected_longest_are_dropped_first_and_connected_ones_never() -> None:
    registry = Registry(0)
    stays = registry.log_in("stays", b"", 0)
    for number in range(2 * MAX_WORKERS):
        registry.log_out(registry.log_in(f"w{number}", b"", number))
    assert len(registry.workers) == MAX_WORKERS
    assert registry.workers[0] is stays
    assert registry.workers[-1].user == f"w{2 * MAX_WORKERS - 1}"
