"""One heap of deadlines for all parts of a node, so that a turn costs what is due and not the number of parts."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Protocol

from pychain.base.time import Now

Wake = Callable[[int], None]
"""Ask to be polled at a monotonic time in ns, or earlier."""


class Timed(Protocol):
    """A part that has something to do when time has passed."""

    def poll(self, now: Now) -> None:
        """Do what is due. A call that comes too early does nothing."""
        ...

    def deadline(self) -> int | None:
        """When `poll` wants to be called next, monotonic ns; None for never. Asked after each poll."""
        ...


class Deadlines:
    """The times at which owners want to be polled.

    A part is polled when its deadline has come. Between polls it calls the function that `add` gave it whenever it
    wants to be polled earlier than it said; later or never needs no call, since a poll that comes too early is
    harmless. So setting a deadline costs O(log parts), and a turn in which nothing is due costs one comparison.
    """

    def __init__(self) -> None:
        self._parts: list[Timed] = []
        self._armed: list[int | None] = []
        """For each part, the time of its one valid entry in the heap."""
        self._heap: list[tuple[int, int]] = []
        """(time, part); an entry whose time is not the armed one is left over and skipped."""

    def add(self, part: Timed) -> Wake:
        """Take a part in. Parts that are due at once are polled in the order in which they were added."""
        number = len(self._parts)
        self._parts.append(part)
        self._armed.append(None)

        def wake(at_ns: int) -> None:
            armed = self._armed[number]
            if armed is None or at_ns < armed:
                self._arm(number, at_ns)

        return wake

    def _arm(self, number: int, at_ns: int) -> None:
        self._armed[number] = at_ns
        heappush(self._heap, (at_ns, number))
        if len(self._heap) > 2 * len(self._parts) + 16:  # what is left over stays in proportion to the parts
            self._heap = [(at, each) for each, at in enumerate(self._armed) if at is not None]
            heapify(self._heap)

    def next(self) -> int | None:
        """The earliest deadline, None when there is none."""
        heap, armed = self._heap, self._armed
        while heap and armed[heap[0][1]] != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def poll(self, now: Now) -> None:
        """Poll each part that is due, once."""
        following = self.next()
        if following is None or following > now.mono_ns:
            return
        due = []
        while following is not None and following <= now.mono_ns:
            number = heappop(self._heap)[1]
            self._armed[number] = None
            due.append(number)
            following = self.next()
        for number in sorted(due):
            part = self._parts[number]
            part.poll(now)
            deadline = part.deadline()
            armed = self._armed[number]
            if deadline is not None and (armed is None or deadline < armed):
                self._arm(number, deadline)
