"""Level 3, contextual: rules that need the parent and its state. Height, time, bits, coinbase, balances.

Headers are checked here. Rules about balances and sequences are checked in `state`, where transfers are applied.
"""

from __future__ import annotations

from pychain.chain.header import Header
from pychain.consensus.branch import Branch, median_time_past
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import Rule, RuleError


def check_header_in_context(rulebook: Rulebook, header: Header, branch: Branch) -> None:
    """Check that `header` may follow `branch`, apart from our clock: see `check_not_too_new`."""
    spec = rulebook.spec
    demanded = rulebook.next_bits(branch)
    if header.bits != demanded:
        raise RuleError(Rule.BITS_MISMATCH, f"0x{header.bits:08x} where 0x{demanded:08x} is due")
    median = median_time_past(branch)
    if header.time <= median:
        raise RuleError(Rule.TIME_TOO_OLD, f"{header.time} is not after the median {median}")
    if branch.height == 0 and header.time < spec.start_time:
        raise RuleError(Rule.TIME_BEFORE_START, f"{header.time} is before {spec.start_time}")


def check_not_too_new(rulebook: Rulebook, header: Header, wall_s: int) -> None:
    """Check that the header's time is at most max_future_s ahead of our clock. A failure is temporary: try again."""
    limit = wall_s + rulebook.spec.max_future_s
    if header.time > limit:
        raise RuleError(Rule.TIME_TOO_NEW, f"{header.time - limit} s too early")


def least_time(rulebook: Rulebook, branch: Branch) -> int:
    """The earliest time that the rules allow for a block on `branch`."""
    least = median_time_past(branch) + 1
    return max(least, rulebook.spec.start_time) if branch.height == 0 else least


def template_time(rulebook: Rulebook, branch: Branch, wall_s: int) -> int:
    """The time of a block mined now on `branch`: the clock, or the earliest allowed time if the clock is behind it."""
    return max(wall_s, least_time(rulebook, branch))
