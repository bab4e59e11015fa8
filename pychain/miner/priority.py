"""Idle priority for one thread, where the system lets a thread have a priority of its own."""

from __future__ import annotations

import os
import sys
import threading

NICEST = 19


def lower_thread_priority() -> str | None:
    """Give the calling thread only the time that nobody else wants; it cannot be taken back.

    Returns how (`"idle"`, `"nice"`), or None where neither works: Linux alone has priorities of threads that anybody
    may lower."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # 0: the calling thread
        return "idle"
    except OSError:
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICEST)
        return "nice"
    except OSError:
        return None
