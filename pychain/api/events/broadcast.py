"""Telling all listeners: events are rendered once, and handed to thousands of listeners in slices of the loop's time.

A listener is a place in the ring and nothing more: who reads slowly is told later, from the ring, and who falls out of
it, or does not read at all, is hung up on. So a listener costs no memory but what his connection has unsent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from pychain.api.events.ring import Ring
from pychain.api.events.views import kinds_of, view
from pychain.api.hub import EventHub
from pychain.base.time import NS
from pychain.node.events import Event
from pychain.node.queries import Queries

_log = logging.getLogger(__name__)

MAX_LISTENERS = 8_192
GATHER_S = 0.005
"""How long events are gathered before they are told, so that a burst of transfers is one write."""
HEARTBEAT_S = 15.0
"""Proxies and firewalls forget connections that are silent for a minute; a browser notices a dead one by it."""
STALL_S = 30.0
"""How long a listener may leave unread what was sent."""
_SLICE_NS = NS // 200
"""After 5 ms of telling the loop has a turn."""
_LOOKS = 16
"""Listeners told between two looks at the clock."""


class Listener(Protocol):
    """One who is told."""

    def tell(self) -> None:
        """Send what there is that was not sent, as far as the listener takes it."""
        ...

    def beat(self, now: float) -> None:
        """Show that the connection lives, or end one that has stalled."""
        ...


class Broadcaster:
    """One a node; loop thread only."""

    def __init__(self, events: EventHub, queries: Queries, ring: Ring) -> None:
        self.ring = ring
        self.listeners: dict[Listener, None] = {}
        self._queries = queries
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        events.listen(self._note)

    @property
    def is_full(self) -> bool:
        return len(self.listeners) >= MAX_LISTENERS

    def start(self) -> None:
        self._task = self._loop.create_task(self._run())

    def close(self) -> None:
        """Tell nothing more; the server ends the connections."""
        if self._task is not None:
            self._task.cancel()

    def _note(self, event: Event) -> None:
        for kind in kinds_of(event):
            self.ring.add(kind, partial(view, kind, event, self._queries))
        self._news.set()

    async def _run(self) -> None:
        next_beat = self._loop.time() + HEARTBEAT_S
        while True:
            try:
                async with asyncio.timeout_at(next_beat):
                    await self._news.wait()
            except TimeoutError:
                next_beat += HEARTBEAT_S
                await self._for_all(lambda listener: listener.beat(self._loop.time()))
                continue
            await asyncio.sleep(GATHER_S)
            self._news.clear()
            await self._for_all(lambda listener: listener.tell())

    async def _for_all(self, do: Callable[[Listener], None]) -> None:
        until_ns = time.monotonic_ns() + _SLICE_NS
        for count, listener in enumerate(list(self.listeners)):
            try:
                do(listener)
            except Exception:
                _log.exception("internal error in telling events")
            if count % _LOOKS == _LOOKS - 1 and time.monotonic_ns() >= until_ns:
                await asyncio.sleep(0)
                until_ns = time.monotonic_ns() + _SLICE_NS
