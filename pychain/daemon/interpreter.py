"""How a process that is a node has Python's interpreter share its time."""

from __future__ import annotations

import gc
import sys

SWITCH_INTERVAL_S = 0.0005
"""How long a thread keeps the interpreter's lock from one that wants it. The event loop pays it each time that it wakes
beside a worker in pure Python, and again for each further worker: beside two of them one ping in a hundred took 145 ms
with Python's 5 ms, and 12 ms with this."""
GC_THRESHOLDS = (5_000, 20, 20)
"""Objects made and not gone that bring a collection about, and how many such bring the next older generation's. Blocks
come with thousands of objects in no cycle: Python's default of 700 looks at them again and again."""


def share_the_interpreter() -> None:
    """Let the event loop have the interpreter's lock soon when threads compute in Python, and be held up less by the
    garbage collector (process-wide)."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
