"""The heap of timed events that is the world's clock, and the trace that tells two runs apart."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from pychain import native

Action = Callable[[], None]


class EventHeap:
    """Actions in virtual time; those of one instant run in the order in which they were planned."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._heap: list[tuple[int, int, Action]] = []
        self._ticket = 0

    def at(self, when_ns: int, action: Action) -> None:
        """Plan an action; one in the past runs next."""
        self._ticket += 1
        heapq.heappush(self._heap, (max(when_ns, self.now_ns), self._ticket, action))

    def after(self, delay_ns: int, action: Action) -> None:
        self.at(self.now_ns + delay_ns, action)

    def step(self, until_ns: int) -> bool:
        """Run the next action that is due by `until_ns`; False when there is none, and then it is `until_ns`."""
        if not self._heap or self._heap[0][0] > until_ns:
            self.now_ns = max(self.now_ns, until_ns)
            return False
        self.now_ns, _, action = heapq.heappop(self._heap)
        action()
        return True


class Trace:
    """A running digest over everything that happens. Two runs of one seed have the same; the first difference shows."""

    def __init__(self) -> None:
        self._digest = bytes(32)
        self.events = 0

    def note(self, now_ns: int, host: str, what: str, data: bytes = b"") -> None:
        """Take one happening in."""
        self.events += 1
        head = f"{now_ns}|{host}|{what}|".encode()
        self._digest = native.sha256d(self._digest + head + native.sha256d(data))

    def hexdigest(self) -> str:
        return self._digest.hex()
