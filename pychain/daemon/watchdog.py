"""Loop watchdog: detects when the event loop is late, which nothing in the daemon may cause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pychain.base.time import NS

STALL_S = 0.020
"""The daemon's bound: no callback blocks the loop for longer."""
PERIOD_S = 0.010
"""Between two checks. Half the bound, so a stall over one and a half times it is always seen; 0.1 % of a core."""


class LoopWatchdog:
    """A timer that measures its own lateness. All figures are since `start`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_look: Callable[[int], None] = lambda late_ns: None) -> None:
        """`on_look` gets the lateness of each check."""
        self._loop = loop
        self._on_look = on_look
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self.looks = 0
        self.stalls = 0
        """Checks that were late by more than `STALL_S`."""
        self.worst_s = 0.0

    def start(self) -> None:
        self._due_ns = time.monotonic_ns() + int(PERIOD_S * NS)
        self._timer = self._loop.call_later(PERIOD_S, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        late_ns = time.monotonic_ns() - self._due_ns
        late_s = late_ns / NS
        self._on_look(max(0, late_ns))
        self.looks += 1
        self.stalls += late_s > STALL_S
        self.worst_s = max(self.worst_s, late_s)
        self.start()
