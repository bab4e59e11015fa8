"""Idle priority for one thread, on systems where threads have their own priority."""

from __future__ import annotations

import os
import sys
import threading

NICEST = 19


def lower_thread_priority() -> str | None:
    """Give the calling thread only otherwise idle time; this cannot be undone.

    Returns how (`"idle"`, `"nice"`), or None if neither works: only Linux lets any user lower the priority of a
    thread."""
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
