"""The daemon's clock: the machine's monotonic and wall time as a `Now`; dev networks may set the wall time by hand."""

from __future__ import annotations

import asyncio
import time

from pychain.base.time import NS, Now

MS = 1_000_000
"""Nanoseconds in a millisecond."""


class Clock:
    """Reads may come from any thread."""

    def __init__(self) -> None:
        self._mocked_s: int | None = None

    mono_ns = staticmethod(time.monotonic_ns)
    sleep = staticmethod(asyncio.sleep)

    def now(self) -> Now:
        return Now(time.monotonic_ns(), self.wall_s())

    def wall_s(self) -> int:
        """Unix seconds, as mocked or as the machine has them."""
        mocked = self._mocked_s
        return time.time_ns() // NS if mocked is None else mocked

    def unix_ms(self) -> int:
        """The machine's time, mocked or not."""
        return time.time_ns() // MS

    @property
    def mocked_s(self) -> int | None:
        """Where it stands still, None where it goes with the machine's."""
        return self._mocked_s

    def mock(self, wall_s: int | None) -> None:
        """Stand still at `wall_s`, as Bitcoin Core's setmocktime; None returns to the machine's time.

        Whether the network allows it (dev networks alone do) is for the caller to have asked."""
        self._mocked_s = wall_s
