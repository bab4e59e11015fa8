"""Stand-ins for the tests of the shell: a node that plays a script, and a listener that remembers inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from pychain.base.time import Now
from pychain.node.effects import Effect
from pychain.node.inputs import BytesDrained, BytesReceived, Input, PeerClosed, PeerOpened

Kind = TypeVar("Kind", bound=Input)


class ScriptedNode:
    """A `Machine`: records its inputs, answers by `script`, and has the deadline `due_ns`."""

    def __init__(self, script: Callable[[Input, Now], list[Effect]] = lambda event, now: []) -> None:
        self.script = script
        self.due_ns: int | None = None
        self.handled: list[tuple[Input, Now]] = []
        self.depth = 0
        self.deepest = 0

    def handle(self, event: Input, now: Now) -> list[Effect]:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        self.handled.append((event, now))
        effects = self.script(event, now)
        self.depth -= 1
        return effects

    def deadline(self) -> int | None:
        return self.due_ns

    @property
    def inputs(self) -> list[Input]:
        return [event for event, _ in self.handled]


class Inbox:
    """Records inputs, and lets a test wait for a condition on them."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self._changed = asyncio.Event()

    def feed(self, event: Input) -> None:
        self.inputs.append(event)
        self._changed.set()

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.inputs if isinstance(event, kind)]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def opened(self, count: int = 1) -> list[int]:
        """The ids of the first `count` peers, once that many have opened."""
        await self.until(lambda: len(self.of(PeerOpened)) >= count)
        return [event.peer for event in self.of(PeerOpened)][:count]

    async def closed(self, peer: int) -> str:
        """The reason for which a peer's connection ended, once it has."""
        await self.until(lambda: any(event.peer == peer for event in self.of(PeerClosed)))
        reasons = [event.reason for event in self.of(PeerClosed) if event.peer == peer]
        assert len(reasons) == 1
        return reasons[0]

    def received(self, peer: int) -> bytes:
        return b"".join(event.data for event in self.of(BytesReceived) if event.peer == peer)

    def drained(self, peer: int) -> int:
        return sum(event.count for event in self.of(BytesDrained) if event.peer == peer)
