"""The driver: passes a node its inputs one at a time, carries out its effects in order, and keeps its one deadline.

It runs on the event loop's thread and never re-enters the node: inputs that arrive while effects are carried out
wait. A long queue is processed in slices, so that sockets and the API get their time; while it is long, `congested`
tells the transport to stop reading.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pychain.api.backend import NodeEndedError
from pychain.base.time import NS, Now
from pychain.daemon.clock import Clock
from pychain.node.effects import Effect, Reply, Stopped
from pychain.node.inputs import Asked, AskedTogether, CommitDone, Input, Tick
from pychain.node.requests import Answer, Request

_log = logging.getLogger(__name__)

SLICE_NS = 3_000_000
"""How long inputs are handled before the loop continues: a quarter of the bound of 20 ms."""
CONGESTED_INPUTS = 64
"""Queued inputs at which reading stops; with a full receive buffer each that is 4 MiB."""
ASKED_TOGETHER = 64
"""The most requests in one input: a few milliseconds, whatever they are."""
TIMER_GRAIN_S = 0.001
"""The loops' timers count in milliseconds: rounding up avoids a call that is too early."""


class Machine(Protocol):
    """The driver's interface to the node."""

    def handle(self, event: Input, now: Now, /) -> list[Effect]: ...

    def deadline(self) -> int | None: ...


class Driver:
    """Drives one node. `carry` carries out one effect; `advance` makes the last commit visible in the store.

    Neither may block; their results go to `feed`. `on_turn` gets the ns that each input took. An exception from the
    node or from `carry` is a bug: the node is stopped, and `ended` says so.
    """

    def __init__(
        self,
        node: Machine,
        clock: Clock,
        carry: Callable[[Effect], None],
        advance: Callable[[], None],
        on_congestion: Callable[[bool], None] = lambda congested: None,
        on_turn: Callable[[int], None] = lambda took_ns: None,
    ) -> None:
        self._node = node
        self._clock = clock
        self._carry = carry
        self._advance = advance
        self._on_congestion = on_congestion
        self._on_turn = on_turn
        self._loop = asyncio.get_running_loop()
        self._inputs: deque[Input] = deque()
        self._busy = False
        self._congested = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._asking: list[Asked] = []
        """Requests waiting to be batched."""
        self._gathered = 0
        """Their number at the previous turn of the loop."""
        self._request_ids = itertools.count(1)
        self.ended: asyncio.Future[str | None] = self._loop.create_future()
        """Done when the node has stopped: None, or a line with the error."""

    def feed(self, event: Input) -> None:
        """Queue an input, and handle it at once unless the driver is busy."""
        if self.ended.done():
            return
        self._inputs.append(event)
        if not self._congested and len(self._inputs) >= CONGESTED_INPUTS:
            self._set_congested(True)
        if not self._busy:
            self._busy = True
            self._work()

    async def ask(self, request: Request) -> Answer:
        """Send a request to the node; NodeEndedError if the node ends before it answers."""
        if self.ended.done():
            raise NodeEndedError("the node has stopped")
        request_id = next(self._request_ids)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._asked[request_id] = answer
        try:
            if not self._asking:
                self._loop.call_soon(self._feed_asked)
            self._asking.append(Asked(request_id, request))
            return await answer
        finally:
            self._asked.pop(request_id, None)

    def _feed_asked(self) -> None:
        """Requests of many callers are one turn of the node, so wait while each turn of the loop brings more: a turn
        without any takes some microseconds."""
        if self._gathered < len(self._asking) < ASKED_TOGETHER:
            self._gathered = len(self._asking)
            self._loop.call_soon(self._feed_asked)
            return
        asking, self._asking, self._gathered = self._asking, [], 0
        for start in range(0, len(asking), ASKED_TOGETHER):
            some = asking[start : start + ASKED_TOGETHER]
            self.feed(some[0] if len(some) == 1 else AskedTogether(tuple(some)))

    def fail(self, error: BaseException) -> None:
        """There is a bug, here or in a job: stop, and leave the disk as of the last commit."""
        _log.critical("internal error, the node stops", exc_info=error)
        self._end(f"internal error: {type(error).__name__}: {error} (the log has the traceback)")

    def _work(self) -> None:
        """Handle queued inputs until the slice is over; `_busy` stays set while some remain."""
        now_ns = time.monotonic_ns()
        until_ns = now_ns + SLICE_NS
        try:
            while self._inputs and now_ns < until_ns:
                self._handle(self._inputs.popleft())
                began_ns, now_ns = now_ns, time.monotonic_ns()
                self._on_turn(now_ns - began_ns)
            if not self.ended.done():
                self._set_timer()
        except Exception as error:
            self.fail(error)
        if self._inputs:
            self._loop.call_soon(self._work)
            return
        self._busy = False
        if self._congested:
            self._set_congested(False)

    def _handle(self, event: Input) -> None:
        if isinstance(event, CommitDone):
            self._advance()
        for effect in self._node.handle(event, self._clock.now()):
            if isinstance(effect, Reply):
                self._answer(effect)
            elif isinstance(effect, Stopped):
                self._end(effect.fault)
            else:
                self._carry(effect)

    def _answer(self, reply: Reply) -> None:
        answer = self._asked.get(reply.request_id)
        if answer is not None and not answer.done():  # the caller may have given up
            answer.set_result(reply.answer)

    def _end(self, fault: str | None) -> None:
        if self.ended.done():
            return
        self.ended.set_result(fault)
        self._inputs.clear()
        if self._timer is not None:
            self._timer.cancel()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(NodeEndedError("the node stopped before it answered"))

    def _set_congested(self, congested: bool) -> None:
        self._congested = congested
        self._on_congestion(congested)

    # --- the deadline: a timer that is never later than the node wants, and is set again if it was too early

    def _set_timer(self) -> None:
        deadline_ns = self._node.deadline()
        if deadline_ns is None or (self._timer is not None and self._timer_ns <= deadline_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        wait_ns = deadline_ns - time.monotonic_ns()
        self._timer_ns = deadline_ns
        self._timer = self._loop.call_later(wait_ns / NS + TIMER_GRAIN_S if wait_ns > 0 else 0, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        try:
            deadline_ns = self._node.deadline()
            if deadline_ns is None or deadline_ns > time.monotonic_ns():
                self._set_timer()
                return
        except Exception as error:
            self.fail(error)
            return
        self.feed(Tick())
