"""The event hub: passes the node's events to listeners in the runtime and to streams of the API."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType

from pychain.api.runtime import Signal
from pychain.node.events import Event

SUBSCRIPTION_EVENTS = 4096
"""Events queued for one slow reader, a few hundred kilobytes; one that falls further behind is cut off."""


class Subscription:
    """An async iterator over events, oldest first. It ends when it is closed, when the hub closes, or when its reader
    falls behind by `SUBSCRIPTION_EVENTS`: then `lagged` is true and the events still queued come first."""

    def __init__(self, hub: EventHub, kinds: tuple[type[Event], ...], news: Signal) -> None:
        self._hub = hub
        self._kinds = kinds
        self._queue: deque[Event] = deque()
        self._news = news
        self._ended = False
        self.lagged = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next(self, timeout_s: float | None = None) -> Event | None:
        """The next event, None at the end; TimeoutError if none comes in time."""
        while not self._queue:
            if self._ended:
                return None
            self._news.clear()
            if not await self._news.wait(timeout_s):
                raise TimeoutError
        return self._queue.popleft()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Receive no more events."""
        self._hub.forget(self)
        self._ended = True
        self._news.set()

    def push(self, event: Event) -> None:
        """Called by the hub: queue an event."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        if len(self._queue) < SUBSCRIPTION_EVENTS:
            self._queue.append(event)
            self._news.set()
        else:
            self.lagged = True
            self.close()


class EventHub:
    """One per node."""

    def __init__(self, signal: Callable[[], Signal]) -> None:
        """`signal` makes the runtime's signals."""
        self._signal = signal
        self._listeners: list[Callable[[Event], None]] = []
        self._subscriptions: dict[Subscription, None] = {}
        self._closed = False

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, at once; it must be quick."""
        self._listeners.append(listener)

    def subscribe(self, *kinds: type[Event]) -> Subscription:
        """A stream of the events from now on, only of these kinds if any are given. Use it as a context manager, or
        close it."""
        subscription = Subscription(self, kinds, self._signal())
        if self._closed:
            subscription.close()
        else:
            self._subscriptions[subscription] = None
        return subscription

    def forget(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription, None)

    def publish(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
        if self._subscriptions:
            for subscription in list(self._subscriptions):
                subscription.push(event)

    def close(self) -> None:
        """End every subscription."""
        self._closed = True
        for subscription in list(self._subscriptions):
            subscription.close()
