"""Rates and token buckets in integers: how much of something is allowed per time."""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """An allowance: `tokens` every `period_ns`, and up to `burst` at once."""

    tokens: int
    period_ns: int
    burst: int


class TokenBucket:
    """Holds up to `rate.burst` tokens and gains `rate.tokens` every `rate.period_ns`, without rounding errors.

    The level is kept in parts of a token: `period_ns` parts make one token, and `tokens` parts come in each ns.
    """

    __slots__ = ("_level", "_rate", "_updated_ns")

    def __init__(self, rate: Rate, mono_ns: int, initial: int | None = None) -> None:
        """`initial` tokens, by default a full burst."""
        self._rate = rate
        self._level = (rate.burst if initial is None else initial) * rate.period_ns
        self._updated_ns = mono_ns

    def available(self, mono_ns: int) -> int:
        """Whole tokens available now."""
        ceiling = self._rate.burst * self._rate.period_ns
        if self._level < ceiling:  # tokens added beyond the burst stay, but do not grow
            gained = (mono_ns - self._updated_ns) * self._rate.tokens
            self._level = min(self._level + gained, ceiling)
        self._updated_ns = mono_ns
        return self._level // self._rate.period_ns

    def take(self, count: int, mono_ns: int) -> bool:
        """Take `count` tokens if all are available."""
        if self.available(mono_ns) < count:
            return False
        self._level -= count * self._rate.period_ns
        return True

    def add(self, count: int, mono_ns: int) -> None:
        """Put in `count` tokens at once, up to two bursts in all."""
        self.available(mono_ns)
        self._level = min(self._level + count * self._rate.period_ns, 2 * self._rate.burst * self._rate.period_ns)
