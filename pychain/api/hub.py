"""The event hub: what the node publishes, handed to listeners in the daemon and to streams of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from pychain.node.events import Event

SUBSCRIPTION_EVENTS = 4096
"""Events that wait for one slow reader, a few hundred kilobytes; one who falls further behind is cut off."""


class Subscription:
    """An async iterator over events, oldest first. It ends when it is closed, when the hub closes, or when its reader
    fell behind by `SUBSCRIPTION_EVENTS`: then `lagged` is true and the events still queued come first."""

    def __init__(self, hub: EventHub, kinds: tuple[type[Event], ...]) -> None:
        self._hub = hub
        self._kinds = kinds
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._ended = False
        self.lagged = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        event = None if self._ended and self._queue.empty() else await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more events."""
        self._hub.forget(self)
        if not self._ended:
            self._ended = True
            self._queue.put_nowait(None)

    def push(self, event: Event) -> None:
        """The hub's side."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        if self._queue.qsize() < SUBSCRIPTION_EVENTS:
            self._queue.put_nowait(event)
        else:
            self.lagged = True
            self.close()


class EventHub:
    """One a daemon; loop thread only."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []
        self._subscriptions: dict[Subscription, None] = {}
        self._closed = False

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, at once; it must be quick."""
        self._listeners.append(listener)

    def subscribe(self, *kinds: type[Event]) -> Subscription:
        """A stream of the events from now on, of these kinds if any are named. Use it as a context manager, or close
        it."""
        subscription = Subscription(self, kinds)
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
