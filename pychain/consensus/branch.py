"""A branch: one chain of headers as the contextual rules see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pychain.chain.header import Header

MEDIAN_TIME_SPAN = 11
"""A new header's time must be above the median of this many (as in Bitcoin: no lone miner can turn the clock back)."""


class Branch(Protocol):
    """One chain of headers, genesis to `height`."""

    @property
    def height(self) -> int:
        """Height of the last header."""
        ...

    def header(self, height: int) -> Header:
        """The header at a height from 0 to `self.height`."""
        ...

    @property
    def last_times(self) -> Sequence[int]:
        """The times of the last `MEDIAN_TIME_SPAN` headers, or of all if there are fewer."""
        ...


def times_of_last(branch: Branch) -> list[int]:
    """`Branch.last_times` read from the headers."""
    first = max(0, branch.height - MEDIAN_TIME_SPAN + 1)
    return [branch.header(height).time for height in range(first, branch.height + 1)]


def median_time_past(branch: Branch) -> int:
    """Median time of the branch's last 11 headers, or of all if there are fewer: element n // 2 of the sorted times."""
    times = sorted(branch.last_times)
    return times[len(times) // 2]
