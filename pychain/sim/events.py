"""The heap of timed events, which is the clock of a simulation, and the trace that tells two runs apart."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable

from msgspec import Struct

Action = Callable[[], None]

MAX_MARKS = 1024
"""Marks kept of a run of any length: enough to locate a difference to a thousandth of the run."""
MARK_CHARACTERS = 16
"""Hex digits kept of a mark's digest: 64 bits tell two honest runs apart."""


class EventHeap:
    """Actions in virtual time; actions of one instant run in the order in which they were planned."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._heap: list[tuple[int, int, Action]] = []
        self._planned = 0

    @property
    def is_empty(self) -> bool:
        """Nothing is planned: nothing more can happen by itself."""
        return not self._heap

    def at(self, when_ns: int, action: Action) -> None:
        """Plan an action; one in the past runs next."""
        self._planned += 1
        heapq.heappush(self._heap, (max(when_ns, self.now_ns), self._planned, action))

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


class Mark(Struct, frozen=True, kw_only=True):
    """The trace at one moment: how much had happened by then, and its digest so far."""

    events: int
    virtual_ns: int
    digest: str


class Trace:
    """A running digest over everything that happens. Two runs of one seed have the same; the first difference shows.

    Marks of it are kept at even distances, in events: all of them at first, and half as many each time that they have
    become too many. So two runs are marked at the same events, as long as they are one run.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._stride = 1
        self.events = 0
        self.marks: list[Mark] = []
        """Oldest first."""

    def note(self, now_ns: int, host: str, what: str, data: bytes = b"") -> None:
        """Take one happening in."""
        self.events += 1
        self._sha256.update(f"{now_ns}|{host}|{what}|{len(data)}|".encode() + data)
        if self.events % self._stride == 0:
            self._mark(now_ns)

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()

    def _mark(self, now_ns: int) -> None:
        digest = self._sha256.hexdigest()[:MARK_CHARACTERS]
        self.marks.append(Mark(events=self.events, virtual_ns=now_ns, digest=digest))
        if len(self.marks) == MAX_MARKS:
            del self.marks[::2]  # every other one, so those left are at multiples of the new stride
            self._stride *= 2
