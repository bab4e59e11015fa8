"""The hash-rate meter: a moving average over the mining threads' reports."""

from __future__ import annotations

import threading
from collections import deque

from pychain.base.time import NS

WINDOW_NS = 10 * NS
"""Long enough for a steady display, short enough to follow a change of load."""


class HashMeter:
    """Any thread adds and reads; times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[tuple[int, int]] = deque()
        self._in_window = 0
        self._since_ns: int | None = None
        self.total = 0
        """Hashes since the beginning."""

    def begin(self, now_ns: int) -> None:
        """Mining starts again: earlier reports do not count."""
        with self._lock:
            self._samples.clear()
            self._in_window = 0
            self._since_ns = now_ns

    def add(self, hashes: int, now_ns: int) -> None:
        """A thread reports hashes tried up to now."""
        with self._lock:
            self._samples.append((now_ns, hashes))
            self._in_window += hashes
            self.total += hashes
            self._forget(now_ns)

    def rate(self, now_ns: int) -> float:
        """Hashes per second over the window, or over the time since `begin` if that is shorter."""
        with self._lock:
            self._forget(now_ns)
            if self._since_ns is None:
                return 0.0
            span_ns = min(now_ns - self._since_ns, WINDOW_NS)
            return self._in_window * NS / span_ns if span_ns > 0 else 0.0

    def _forget(self, now_ns: int) -> None:
        while self._samples and self._samples[0][0] <= now_ns - WINDOW_NS:
            self._in_window -= self._samples.popleft()[1]
