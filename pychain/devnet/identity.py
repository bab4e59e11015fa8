"""Recognising our own processes: the system may have given a process id to another process meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct


class Identity(Struct, frozen=True):
    """A process: its id, and its start time as the system reports it (any text that no later process can have)."""

    pid: int
    started: str

    @property
    def is_running(self) -> bool:
        """Whether this same process still runs."""
        return identify(self.pid) == self

    @property
    def is_paused(self) -> bool:
        """Whether this same process is stopped by a signal."""
        look = _look(self.pid)
        return look is not None and look.started == self.started and look.state in _PAUSED

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this same process; False if it is gone."""
        if not self.is_running:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def identify(pid: int) -> Identity | None:
    """The process that has an id now, None if there is none, or if it is a zombie."""
    look = _look(pid)
    return None if look is None else Identity(pid, look.started)


class _Look(NamedTuple):
    """The system's report on a process: the letter of its state, and its start time."""

    state: str
    started: str


_ENDED = "ZX"
_PAUSED = "Tt"


def _look(pid: int) -> _Look | None:
    """None if there is no such process, or if it has ended."""
    look = _look_linux(pid) if sys.platform == "linux" else _look_posix(pid)
    return None if look is None or look.state in _ENDED else look


def _look_linux(pid: int) -> _Look | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before it may contain anything; see proc(5)
    state, start_ticks = fields[0], fields[19]
    return _Look(state, f"{boot}/{start_ticks}")


def _look_posix(pid: int) -> _Look | None:
    ps = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=10
    )
    state, _, started = ps.stdout.strip().partition(" ")
    return _Look(state[:1], started.strip()) if started else None
