"""Which rule a check breaks, as a value."""

from __future__ import annotations

from collections.abc import Callable

from pychain.consensus.rules import Rule, RuleError


def broken_rule(check: Callable[[], object]) -> Rule | None:
    """The rule of the RuleError that `check` raises; None where it raises nothing. Any other error passes through."""
    try:
        check()
    except RuleError as error:
        return error.rule
    return None
