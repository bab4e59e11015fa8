"""The daemon's clock: the machine's monotonic and wall time as a `Now`; dev networks may set the wall time."""

from __future__ import annotations

import asyncio
import time

from pychain.base.time import NS, Now

MS = 1_000_000
"""Nanoseconds in a millisecond."""


class Clock:
    """It may be read from any thread."""

    def __init__(self) -> None:
        self._mocked_s: int | None = None

    mono_ns = staticmethod(time.monotonic_ns)
    sleep = staticmethod(asyncio.sleep)

    def now(self) -> Now:
        return Now(time.monotonic_ns(), self.wall_s())

    def wall_s(self) -> int:
        """Unix seconds, mocked or the machine's."""
        mocked = self._mocked_s
        return time.time_ns() // NS if mocked is None else mocked

    def unix_ms(self) -> int:
        """The machine's time, mocked or not."""
        return time.time_ns() // MS

    @property
    def mocked_s(self) -> int | None:
        """The mocked time, None if it follows the machine's."""
        return self._mocked_s

    def mock(self, wall_s: int | None) -> None:
        """Stop at `wall_s`, like Bitcoin Core's setmocktime; None returns to the machine's time.

        The caller must have checked that the network allows it (only dev networks do)."""
        self._mocked_s = wall_s
