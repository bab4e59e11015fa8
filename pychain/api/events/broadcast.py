"""Sending to all listeners: events are rendered once, and sent to thousands of listeners in time slices.

A listener is only a position in the ring: a slow reader gets events later, from the ring, and one that falls behind
the ring, or does not read at all, is disconnected. So a listener costs no memory beyond its connection's unsent bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from pychain.api.backend import Backend
from pychain.api.events.ring import Ring
from pychain.api.events.views import kinds_of, view
from pychain.api.runtime import Task
from pychain.base.time import NS, seconds
from pychain.node.events import Event

_log = logging.getLogger(__name__)

MAX_LISTENERS = 8_192
GATHER_S = 0.005
"""How long events are collected before they are sent, so that a burst of transfers is one write."""
HEARTBEAT_S = 15.0
"""Proxies and firewalls drop connections that are silent for a minute; it also lets a browser notice a dead one."""
STALL_S = 30.0
"""How long a listener may leave sent data unread."""
_SLICE_NS = NS // 200
"""After sending for 5 ms, yield to everything else."""
_LOOKS = 16
"""Listeners served between two reads of the clock."""


class Listener(Protocol):
    """A receiver of events."""

    def tell(self) -> None:
        """Send the events not yet sent, as far as the listener accepts them."""
        ...

    def beat(self, now_ns: int) -> None:
        """Send a keep-alive, or end a stalled connection."""
        ...


class Broadcaster:
    """One per node. Nothing runs while there are no listeners."""

    def __init__(self, backend: Backend, ring: Ring) -> None:
        self.ring = ring
        self.clock = backend.clock
        self.listeners: dict[Listener, None] = {}
        self._backend = backend
        self._queries = backend.queries
        self._news = backend.signal()
        self._task: Task | None = None
        backend.listen(self._note)

    @property
    def is_full(self) -> bool:
        return len(self.listeners) >= MAX_LISTENERS

    def start(self) -> None:
        self._task = self._backend.spawn(self._run())

    def close(self) -> None:
        """Stop sending; the server ends the connections."""
        if self._task is not None:
            self._task.cancel()

    def join(self, listener: Listener) -> None:
        """Send a listener all events from now on."""
        self.listeners[listener] = None
        if len(self.listeners) == 1:
            self._news.set()

    def leave(self, listener: Listener) -> None:
        self.listeners.pop(listener, None)

    def _note(self, event: Event) -> None:
        for kind in kinds_of(event):
            self.ring.add(kind, partial(view, kind, event, self._queries))
        if self.listeners:
            self._news.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            await self._tell_while_heard()

    async def _tell_while_heard(self) -> None:
        """Send events, and keep-alives in between, until there are no listeners."""
        next_beat_ns = self.clock.mono_ns() + seconds(HEARTBEAT_S)
        while self.listeners:
            left_ns = next_beat_ns - self.clock.mono_ns()
            if left_ns > 0 and await self._news.wait(left_ns / NS):
                await self.clock.sleep(GATHER_S)
                self._news.clear()
                await self._for_all(lambda listener: listener.tell())
            else:
                next_beat_ns += seconds(HEARTBEAT_S)
                await self._for_all(lambda listener: listener.beat(self.clock.mono_ns()))
        self._news.clear()

    async def _for_all(self, do: Callable[[Listener], None]) -> None:
        until_ns = self.clock.mono_ns() + _SLICE_NS
        for count, listener in enumerate(list(self.listeners)):
            try:
                do(listener)
            except Exception:
                _log.exception("internal error in sending events")
            if count % _LOOKS == _LOOKS - 1 and self.clock.mono_ns() >= until_ns:
                await self.clock.sleep(0)
                until_ns = self.clock.mono_ns() + _SLICE_NS
