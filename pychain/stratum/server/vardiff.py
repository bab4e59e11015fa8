"""Variable difficulty: a controller that keeps one connection at the target share rate. Pure: times are arguments.

It counts work, not shares: a share is worth the difficulty at which its job was sent. At a retarget the difficulty
becomes the power of two nearest to work per second times the target period, if that is at least twice or at most
half the old one: shares are random, and twelve of them are no better estimate. Powers of two are exact in every miner's
arithmetic.
"""

from __future__ import annotations

import math

from pychain.base.time import NS
from pychain.stratum.difficulty import MAX_DIFFICULTY
from pychain.stratum.server.limits import (
    IDLE_DIFFICULTY,
    MAX_RETARGET_FACTOR,
    RETARGET_SHARES,
    RETARGET_WINDOW_S,
    SHARE_PERIOD_S,
    START_DIFFICULTY,
)

_HALF_A_SHARE = 0.5
"""The assumed shares of a window without any: its expectation is between none and one."""


class VarDiff:
    """The difficulty of one connection. `fixed`: set by the miner; `least`: the lowest that it accepts."""

    def __init__(self, now_ns: int) -> None:
        self.difficulty = START_DIFFICULTY
        self.fixed = False
        self.least = 0.0
        self._begin(now_ns)

    def suggest(self, difficulty: float, now_ns: int) -> None:
        """Continue from a difficulty that the miner suggests."""
        self.difficulty = max(difficulty, self.least)
        self._begin(now_ns)

    def fix(self, difficulty: float) -> None:
        """Stay at the difficulty that the miner set."""
        self.difficulty = difficulty
        self.fixed = True

    def demand(self, least: float) -> None:
        """Never go below the lowest difficulty that the miner accepts."""
        self.least = least
        self.difficulty = max(self.difficulty, least)

    def share(self, difficulty: float, now_ns: int) -> bool:
        """Count a share of a job of this difficulty; True if the connection's difficulty changes."""
        self._work += difficulty
        self._shares += 1
        return self._shares >= RETARGET_SHARES and self._retarget(now_ns)

    def tick(self, now_ns: int) -> bool:
        """Handle the passing of time; True as for `share`."""
        return now_ns - self._since_ns >= RETARGET_WINDOW_S * NS and self._retarget(now_ns)

    def _begin(self, now_ns: int) -> None:
        self._since_ns = now_ns
        self._work = 0.0
        self._shares = 0

    def _retarget(self, now_ns: int) -> bool:
        seconds = max(now_ns - self._since_ns, 1) / NS
        work = self._work or _HALF_A_SHARE * self.difficulty
        self._begin(now_ns)
        if self.fixed:
            return False
        factor = work / seconds * SHARE_PERIOD_S / self.difficulty
        if 0.5 < factor < 2:
            return False
        factor = min(max(factor, 1 / MAX_RETARGET_FACTOR), MAX_RETARGET_FACTOR)
        wanted = 2.0 ** round(math.log2(self.difficulty * factor))
        floor = max(self.least, min(IDLE_DIFFICULTY, self.difficulty))
        before, self.difficulty = self.difficulty, min(max(wanted, floor), MAX_DIFFICULTY)
        return self.difficulty != before
