"""Meters: plain counts kept by the parts of a node. An update takes a few hundred nanoseconds, without a lock: all are
written on one thread.

They are not the Prometheus library's own, whose locks and labels cost a microsecond or two when a call takes ten;
`exposition` passes them to the library at each scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from pychain.base.time import NS
from pychain.node.events import BlockRefused, Event, NewTip, TransferAccepted, TransferDropped


class Distribution:
    """A histogram: counts by bound, and the sum. Values and bounds are integers of one unit, so that long sums are
    exact."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        """`bounds`: ascending; a value counts at the first bound that is not below it."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0

    def observe(self, value: int) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulative(self) -> Iterator[tuple[int | None, int]]:
        """Bounds, and how many values are at most each bound; None means infinity."""
        below = 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            below += count
            yield bound, below


def _ns(*seconds: float) -> tuple[int, ...]:
    return tuple(round(each * NS) for each in seconds)


TURN_NS = _ns(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
"""Turns of the node and lateness of the loop; the target is 20 ms."""
CALL_NS = _ns(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
"""Calls; long polls may last any time."""
JOB_NS = _ns(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
"""Work on threads: checks, commits."""
DEPTHS = (1, 2, 3, 4, 6, 10, 20, 50, 100)
"""Blocks disconnected by a reorganisation."""


class CallMeter:
    """Calls of the API by name, and how long each took until its answer was ready."""

    def __init__(self) -> None:
        self.durations: dict[str, Distribution] = {}
        self.errors: dict[str, int] = {}

    def done(self, name: str, took_ns: int, *, failed: bool) -> None:
        """A call was answered. `name` must be one of a bounded number."""
        durations = self.durations.get(name)
        if durations is None:
            durations = self.durations[name] = Distribution(CALL_NS)
        durations.observe(took_ns)
        if failed:
            self.errors[name] = self.errors.get(name, 0) + 1


class EventMeter:
    """Totals of the node's events."""

    def __init__(self) -> None:
        self.connected = 0
        self.disconnected = 0
        self.reorganisations = Distribution(DEPTHS)
        self.refused: dict[str, int] = {}
        self.accepted = 0
        self.dropped: dict[str, int] = {}

    def note(self, event: Event) -> None:
        """Count an event; this is a listener of the hub."""
        match event:
            case NewTip():
                self.connected += len(event.connected)
                self.disconnected += len(event.disconnected)
                if event.disconnected:
                    self.reorganisations.observe(len(event.disconnected))
            case TransferAccepted():
                self.accepted += 1
            case TransferDropped(_, reason):
                self.dropped[reason] = self.dropped.get(reason, 0) + 1
            case BlockRefused(_, code, _):
                self.refused[code] = self.refused.get(code, 0) + 1
            case _:
                pass


class Meters:
    """The runtime's measurements of its work.

    turns: the node's handling of one input. lag: how late the loop runs a timer. block_checks, transfer_checks:
    verify jobs. commits: durable commits.
    """

    def __init__(self) -> None:
        self.turns = Distribution(TURN_NS)
        self.lag = Distribution(TURN_NS)
        self.block_checks = Distribution(JOB_NS)
        self.transfer_checks = Distribution(JOB_NS)
        self.commits = Distribution(JOB_NS)
