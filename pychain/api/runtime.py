"""Time and waiting for the API: the part of an event loop that a runtime provides to coroutines."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pychain.base.time import Now


class Clock(Protocol):
    """The runtime's time."""

    def now(self) -> Now:
        """The time as the node's inputs get it; the wall time may be mocked."""
        ...

    def mono_ns(self) -> int:
        """The monotonic part of `now`, for spans and timeouts."""
        ...

    def unix_ms(self) -> int:
        """The machine's wall clock, mocked or not, in milliseconds."""
        ...

    def sleep(self, seconds: float, /) -> Awaitable[None]:
        """Wait; 0 only yields."""
        ...


class Signal(Protocol):
    """A flag that can be waited for."""

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def wait(self, timeout_s: float | None = None) -> Awaitable[bool]:
        """True once it is set, False if the time is up first."""
        ...


class Task(Protocol):
    """A running coroutine."""

    def cancel(self) -> object:
        """End it at its current wait; its `finally` clauses run and do not wait."""
        ...
