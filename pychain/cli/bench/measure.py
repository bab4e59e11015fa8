"""Measuring: repeat the same work, and report its rate by the thread's own CPU time, which other work on the machine
disturbs least.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

REPEATS = 5
"""Odd, so that the median is one of the runs."""
NS = 1e9


class Rate(NamedTuple):
    """Units a second, of all runs."""

    median: float
    least: float
    most: float


def measure(work: Callable[[int], object], units: int, seconds: float) -> Rate:
    """The rate of `work(n)`, which does n times `units`: each run is as large as its share of the time allows."""
    amount, elapsed = 1, _time(work, 1)
    share = seconds / REPEATS
    while elapsed < share / 4:
        amount *= max(2, min(16, int(share / max(elapsed, 1e-9)) // 2))
        elapsed = _time(work, amount)
    amount = max(1, int(amount * share / elapsed))
    rates = [units * amount / _time(work, amount) for _ in range(REPEATS)]
    return Rate(statistics.median(rates), min(rates), max(rates))


def load() -> float | None:
    """Processes that wanted a core in the last minute, None if the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _time(work: Callable[[int], object], amount: int) -> float:
    begin = time.thread_time_ns()
    work(amount)
    return (time.thread_time_ns() - begin) / NS
