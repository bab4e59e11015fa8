"""How a process that is a node shares the time of Python's interpreter, and of the cores, among its threads."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

SWITCH_INTERVAL_S = 0.0005
"""How long a thread keeps the interpreter's lock from one that wants it. The event loop pays it each time that it wakes
beside a worker in pure Python, and again for each further worker: beside two of them one ping in a hundred took 145 ms
with Python's 5 ms, and 12 ms with this."""
GC_THRESHOLDS = (5_000, 20, 20)
"""Objects made and not gone that bring a collection about, and how many such bring the next older generation's. Blocks
come with thousands of objects in no cycle: Python's default of 700 looks at them again and again."""

WORKERS_NICE = 10
"""A tenth of the loop's weight where cores are short: while a chain synced on two cores, one call in a hundred took
22 ms at the loop's own weight, 16 ms at nice 3 and 13 ms at this, which makes the sync a tenth slower."""


def yield_to_the_loop() -> None:
    """Let the calling thread, which is a worker, wait for the event loop's rather than the other way round. On Linux
    alone a thread has a priority of its own; where the system refuses, all stay equal."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, WORKERS_NICE)


def share_the_interpreter() -> None:
    """Let the event loop have the interpreter's lock soon when threads compute in Python, and be held up less by the
    garbage collector (process-wide)."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
