"""Time and waiting as the API knows them: what a runtime lends to coroutines in the place of an event loop."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pychain.base.time import Now


class Clock(Protocol):
    """The runtime's time."""

    def now(self) -> Now:
        """The moment as the node's inputs are given it; its wall time may be mocked."""
        ...

    def mono_ns(self) -> int:
        """The monotonic part of `now`, for spans and timeouts."""
        ...

    def unix_ms(self) -> int:
        """The machine's wall clock, mocked or not, in milliseconds."""
        ...

    def sleep(self, seconds: float, /) -> Awaitable[None]:
        """Wait; 0 lets everything else have its turn."""
        ...


class Signal(Protocol):
    """A flag that can be waited for."""

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def wait(self, timeout_s: float | None = None) -> Awaitable[bool]:
        """Return True once it is set, False when the time is up first."""
        ...


class Task(Protocol):
    """A coroutine that runs by itself."""

    def cancel(self) -> object:
        """End it where it waits; its `finally` clauses run, and wait for nothing."""
        ...
