"""How a node's process shares the interpreter and the cores among its threads."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from dataclasses import dataclass

GC_THRESHOLDS = (5_000, 20, 20)
"""Live new objects that trigger a garbage collection, and collections that trigger one of the next older generation.
Blocks have thousands of objects without cycles: Python's default of 700 would scan them again and again."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """switch_interval_s: how long a thread may keep the interpreter's lock while another waits. workers_nice: the
    niceness of the workers' threads (see nice(1)).
    """

    switch_interval_s: float
    workers_nice: int

    def begin(self) -> None:
        """Apply this to the process, and make garbage collections rarer."""
        sys.setswitchinterval(self.switch_interval_s)
        gc.set_threshold(*GC_THRESHOLDS)

    def begin_worker(self) -> None:
        """Make the calling thread a worker. Only Linux has priorities per thread; if it refuses, all stay equal."""
        if sys.platform == "linux" and self.workers_nice:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, 0, self.workers_nice)


ANSWERING = Sharing(switch_interval_s=0.0005, workers_nice=10)
"""For a daemon: peers and API clients wait for its event loop.

The loop waits one interval each time it wakes beside a worker in pure Python, and again for each further worker: beside
two of them one ping in a hundred took 145 ms with Python's 5 ms, and 12 ms with this. And workers have a tenth of its
weight: during a sync on two cores, one call in a hundred took 22 ms at the loop's own weight, 16 ms at nice 3 and 13 ms
at this, which makes the sync a tenth slower. A second verifier would sync a third faster there, and answer one call in
a hundred after 25 ms.
"""

WORKING = Sharing(switch_interval_s=0.005, workers_nice=0)
"""For a command: threads keep Python's own interval and equal weights, which loads a chain of empty blocks a tenth
faster."""
