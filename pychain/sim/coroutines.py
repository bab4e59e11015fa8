"""Coroutines in virtual time: a trampoline that needs no event loop, so it runs inside one too.

Every step of a coroutine is an action of the world's heap, in the order of scheduling, so the interleaving is the same
in every run of a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from pychain.base.time import seconds
from pychain.sim.events import EventHeap

T = TypeVar("T")


class CancelledError(Exception):
    """The coroutine was cancelled before it had a result."""


class Future(Generic[T]):
    """A result that comes later. Coroutines of the trampoline may await it."""

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: Exception | None = None
        self._then: list[Callable[[], None]] = []

    def resolve(self, value: T) -> None:
        """Set the result; does nothing if there is one already."""
        self._end(value, None)

    def fail(self, error: Exception) -> None:
        """Set an error in place of the result."""
        self._end(None, error)

    def _end(self, value: T | None, error: Exception | None) -> None:
        if self.done:
            return
        self.done, self._value, self._error = True, value, error
        then, self._then = self._then, []
        for action in then:
            action()

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` once there is a result or an error."""
        if self.done:
            action()
        else:
            self._then.append(action)

    def result(self) -> T:
        """The result, or its error raised."""
        assert self.done
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # a T once it is done

    def __await__(self) -> Generator[Future[Any], None, T]:
        if not self.done:
            yield self
        return self.result()


class Task(Generic[T]):
    """A running coroutine: it runs at once up to its first wait, and each later step is an action of the heap. `ended`
    is its result."""

    def __init__(self, timers: Timers, coroutine: Coroutine[Any, Any, T]) -> None:
        self._timers = timers
        self._coroutine = coroutine
        self.ended: Future[T] = Future()
        self.cancelled = False
        self._step()

    def _step(self) -> None:
        if self.ended.done:
            return
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            self.ended.resolve(stop.value)
        except Exception as error:
            self.ended.fail(error)
        else:
            if not isinstance(awaited, Future):
                raise TypeError(f"a coroutine in virtual time awaits {awaited!r}, which is not of the simulation")
            awaited.then(lambda: self._timers.soon(self._step))

    def cancel(self) -> None:
        """Cancel it where it waits; its `finally` clauses run."""
        if not self.ended.done:
            self.cancelled = True
            self._coroutine.close()
            self.ended.fail(CancelledError())


class Timers:
    """The heap as coroutines use it."""

    def __init__(self, heap: EventHeap) -> None:
        self._heap = heap

    @property
    def now_ns(self) -> int:
        return self._heap.now_ns

    def soon(self, action: Callable[[], None]) -> None:
        """Schedule an action for this instant, after those already scheduled."""
        self._heap.at(self._heap.now_ns, action)

    def later(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._heap.after(delay_ns, action)

    def sleep(self, span_s: float) -> Future[None]:
        """Done after a span of virtual time."""
        over: Future[None] = Future()
        self.later(seconds(span_s), lambda: over.resolve(None))
        return over


class Signal:
    """A flag that coroutines can wait for."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._is_set = False
        self._waiting: dict[Future[bool], None] = {}

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting:
            future.resolve(True)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout_s: float | None = None) -> Future[bool]:
        """True once it is set, False if the timeout comes first."""
        future: Future[bool] = Future()
        if self._is_set:
            future.resolve(True)
            return future
        self._waiting[future] = None
        if timeout_s is not None:
            self._timers.later(seconds(timeout_s), lambda: self._give_up(future))
        return future

    def _give_up(self, future: Future[bool]) -> None:
        self._waiting.pop(future, None)
        future.resolve(False)
