"""How a process that is a node shares the time of Python's interpreter, and of the cores, among its threads."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from dataclasses import dataclass

GC_THRESHOLDS = (5_000, 20, 20)
"""Objects made and not gone that bring a collection about, and how many such bring the next older generation's. Blocks
come with thousands of objects in no cycle: Python's default of 700 looks at them again and again."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """switch_interval_s: how long a thread keeps the interpreter's lock from one that wants it. workers_nice: how much
    less the workers' threads weigh where cores are short (see nice(1)).
    """

    switch_interval_s: float
    workers_nice: int

    def begin(self) -> None:
        """Share so from now on, and be held up less by the garbage collector (process-wide)."""
        sys.setswitchinterval(self.switch_interval_s)
        gc.set_threshold(*GC_THRESHOLDS)

    def begin_worker(self) -> None:
        """The calling thread is a worker. On Linux alone a thread has a priority of its own; where the system refuses,
        all stay equal."""
        if sys.platform == "linux" and self.workers_nice:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, 0, self.workers_nice)


ANSWERING = Sharing(switch_interval_s=0.0005, workers_nice=10)
"""A daemon: peers and callers wait for its event loop.

It pays the interval each time that it wakes beside a worker in pure Python, and again for each further worker: beside
two of them one ping in a hundred took 145 ms with Python's 5 ms, and 12 ms with this. And workers have a tenth of its
weight: while a chain synced on two cores, one call in a hundred took 22 ms at the loop's own weight, 16 ms at nice 3
and 13 ms at this, which makes the sync a tenth slower. A second verifier would sync a third faster there, and answer
one call in a hundred after 25 ms.
"""

WORKING = Sharing(switch_interval_s=0.005, workers_nice=0)
"""A command that is waited for as a whole: threads keep Python's own interval and equal weights, which loads a chain of
empty blocks a tenth faster."""
