"""The search engine: threads at idle priority that work on one puzzle together, until it is replaced.

No two threads hash the same header: a thread draws a ticket (a coinbase of its own) and scans its 32-bit nonces in
slices, each under several versions; the time in the header moves on from slice to slice. Another puzzle stops every
running slice at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from pychain import native
from pychain.base.time import NS
from pychain.miner.meter import HashMeter
from pychain.miner.priority import lower_thread_priority

_log = logging.getLogger(__name__)

NONCES = 2**32
SLICE_NS = NS // 4
"""One search: the header's time is at most this old, and the interpreter's lock is wanted four times a second."""
FIRST_SLICE = 1 << 8
"""Nonces of a thread's first slice, and the least of any: microseconds in C, milliseconds in pure Python."""


class Ticket(Protocol):
    """One coinbase, which nobody else searches under."""

    def header(self) -> bytes:
        """80 bytes, with the time of now; nonce and version are the search's."""
        ...

    def found(self, header: bytes, nonce: int, version: int) -> None:
        """A header of this ticket meets the target. On the thread that found it, which goes on unless the puzzle is
        stopped."""
        ...


class Puzzle(Protocol):
    """What all threads work on. `stop` ends its searches."""

    @property
    def stop(self) -> native.StopFlag: ...

    @property
    def target(self) -> int: ...

    @property
    def versions(self) -> Sequence[int]:
        """Tried for each nonce, at most `native.MAX_VERSIONS`: several at once cost less a hash."""
        ...

    def ticket(self) -> Ticket:
        """Another one at every call, on whatever thread."""
        ...


class SearchThreads:
    """The threads; they start with the first puzzle. `fail` is called, on one of them, with an exception that is a
    bug."""

    def __init__(self, threads: int, fail: Callable[[BaseException], None]) -> None:
        self.threads = threads
        self._fail = fail
        self._meter = HashMeter()
        self._changed = threading.Condition()
        self._puzzle: Puzzle | None = None
        self._closed = False
        self._running: list[threading.Thread] = []

    def start(self, puzzle: Puzzle) -> None:
        """Search on this, instead of anything before it."""
        if self._puzzle is None:
            self._meter.begin(time.monotonic_ns())
        self._replace(puzzle)
        while len(self._running) < self.threads:
            thread = threading.Thread(target=self._run, name=f"mine-{len(self._running)}", daemon=True)
            self._running.append(thread)
            thread.start()

    def stop(self) -> None:
        """Search no more, until the next puzzle."""
        self._replace(None)

    def close(self) -> None:
        """End the threads, and wait for them."""
        with self._changed:
            self._closed = True
        self.stop()
        for thread in self._running:
            thread.join()

    def hash_rate(self) -> float:
        """Hashes a second of late, 0 while there is no puzzle."""
        return 0.0 if self._puzzle is None else self._meter.rate(time.monotonic_ns())

    @property
    def hashes(self) -> int:
        """Headers tried so far."""
        return self._meter.total

    def _replace(self, puzzle: Puzzle | None) -> None:
        with self._changed:
            if self._puzzle is not None:
                self._puzzle.stop.set()
            self._puzzle = puzzle
            self._changed.notify_all()

    # --- on the threads

    def _run(self) -> None:
        try:
            self._mine()
        except Exception as error:
            self._fail(error)

    def _mine(self) -> None:
        if native.compiled:  # pure Python searches with the interpreter's lock, which no idle thread should hold
            _log.debug("mining at priority: %s", lower_thread_priority() or "as the process")
        slice_nonces = FIRST_SLICE
        done: Puzzle | None = None
        while True:
            puzzle = self._next_puzzle(done)
            if puzzle is None:
                return
            while not puzzle.stop.is_set():
                slice_nonces = self._scan(puzzle, slice_nonces)
            done = puzzle

    def _next_puzzle(self, done: Puzzle | None) -> Puzzle | None:
        """Wait for another puzzle than the one that is done; None at the end."""
        with self._changed:
            while not self._closed and (self._puzzle is None or self._puzzle is done):
                self._changed.wait()
            return None if self._closed else self._puzzle

    def _scan(self, puzzle: Puzzle, slice_nonces: int) -> int:
        """Try all nonces of one ticket, in slices; returns how large a slice proved to be right."""
        ticket, versions = puzzle.ticket(), puzzle.versions
        start = 0
        while start < NONCES and not puzzle.stop.is_set():
            header = ticket.header()
            began_ns = time.monotonic_ns()
            count = min(slice_nonces, NONCES - start)
            hit, hashes = native.search_rolling(header, versions, puzzle.target, start, count, puzzle.stop)
            ended_ns = time.monotonic_ns()
            self._meter.add(hashes, ended_ns)
            if hit is None:
                start += count
                slice_nonces = _next_slice(hashes // len(versions), ended_ns - began_ns, slice_nonces)
            else:
                nonce, version = hit
                ticket.found(header, nonce, version)
                start = nonce + 1
        return slice_nonces


def _next_slice(nonces: int, took_ns: int, before: int) -> int:
    """Nonces that should take `SLICE_NS`, at most four times as many as before."""
    if took_ns <= 0 or nonces < before // 2:  # stopped early: says little
        return before
    return max(FIRST_SLICE, min(nonces * SLICE_NS // took_ns, 4 * before, NONCES))
