"""Median time, and the time that a template takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.consensus.branch import median_time_past
from pychain.consensus.contextual import check_header_in_context, check_not_too_new, template_time
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import Blame, Rule, RuleError
from tests.support.branches import bare_header, timed_branch
from tests.support.builder import spec_of
from tests.support.network import EASY_BITS, GENESIS_TIME, Network

SPAN = 11
chain_times = st.integers(1, 30).flatmap(lambda size: st.lists(st.integers(0, 50), min_size=size, max_size=size))


@given(chain_times)
def test_median(times: list[int]) -> None:
    last = times[-SPAN:]
    median = median_time_past(timed_branch(times, EASY_BITS))
    assert median == sorted(last)[len(last) // 2]
    assert sum(time < median for time in last) <= len(last) / 2
    assert sum(time > median for time in last) <= len(last) / 2


@given(chain_times, st.integers(0, 100), st.integers(0, 60))
def test_template_time_is_allowed_and_the_least_there_is(times: list[int], wall_s: int, start: int) -> None:
    rulebook = Rulebook(spec_of(replace(Network(), start_time=start)))
    branch = timed_branch(times, EASY_BITS)
    time = template_time(rulebook, branch, wall_s)
    assert time >= wall_s
    check_header_in_context(rulebook, bare_header(time, EASY_BITS), branch)
    if time > wall_s:
        with pytest.raises(RuleError) as refused:
            check_header_in_context(rulebook, bare_header(time - 1, EASY_BITS), branch)
        assert refused.value.rule in (Rule.TIME_TOO_OLD, Rule.TIME_BEFORE_START)


@given(st.integers(0, 2**32 - 1), st.integers(-10, 10))
def test_too_new(wall_s: int, over: int) -> None:
    rulebook = Rulebook(spec_of(Network(max_future_s=120)))
    header = bare_header(wall_s + 120 + over, EASY_BITS)
    if over <= 0:
        check_not_too_new(rulebook, header, wall_s)
    else:
        with pytest.raises(RuleError, match=f"time-too-new: {over} s too early") as refused:
            check_not_too_new(rulebook, header, wall_s)
        assert refused.value.rule.blame is Blame.NOBODY


def test_the_start_binds_the_first_block_alone() -> None:
    rulebook = Rulebook(spec_of(Network(start_time=GENESIS_TIME + 100)))
    early = bare_header(GENESIS_TIME + 50, EASY_BITS)
    with pytest.raises(RuleError, match="time-before-start"):
        check_header_in_context(rulebook, early, timed_branch([GENESIS_TIME], EASY_BITS))
    check_header_in_context(rulebook, early, timed_branch([GENESIS_TIME, GENESIS_TIME + 1], EASY_BITS))
