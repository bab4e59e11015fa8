"""The search engine: threads at idle priority that share one job until it is replaced.

No two threads hash the same header: each takes a unit of work (a coinbase of its own) and scans its 32-bit nonces in
slices, each with several versions; every slice updates the time in the header. A new job stops all running slices at
once.
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
"""Duration of a slice: the header's time is at most this old; the interpreter's lock is taken four times a second."""
FIRST_SLICE = 1 << 8
"""Nonces of a thread's first slice, and the minimum: microseconds in C, milliseconds in pure Python."""


class Work(Protocol):
    """One coinbase, searched by one thread."""

    def header(self) -> bytes:
        """80 bytes, with the present time; the search sets nonce and version."""
        ...

    def found(self, header: bytes, nonce: int, version: int) -> None:
        """A header of this work meets the target. Called on the thread that found it, which goes on unless the job is
        stopped."""
        ...


class Job(Protocol):
    """The job that all threads share. `stop` ends its searches."""

    @property
    def stop(self) -> native.StopFlag: ...

    @property
    def target(self) -> int: ...

    @property
    def versions(self) -> Sequence[int]:
        """Tried for each nonce, at most `native.MAX_VERSIONS`: several at once cost less per hash."""
        ...

    def work(self) -> Work:
        """New work at every call; any thread may call it."""
        ...


class SearchThreads:
    """The threads; they start with the first job. If one of them hits a bug, it calls `fail` with the exception."""

    def __init__(self, threads: int, fail: Callable[[BaseException], None]) -> None:
        self.threads = threads
        self._fail = fail
        self._meter = HashMeter()
        self._changed = threading.Condition()
        self._job: Job | None = None
        self._closed = False
        self._running: list[threading.Thread] = []

    def start(self, job: Job) -> None:
        """Search for this job instead of the one before it."""
        if self._job is None:
            self._meter.begin(time.monotonic_ns())
        self._replace(job)
        while len(self._running) < self.threads:
            thread = threading.Thread(target=self._run, name=f"mine-{len(self._running)}", daemon=True)
            self._running.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop searching until the next job."""
        self._replace(None)

    def close(self) -> None:
        """End the threads and wait for them."""
        with self._changed:
            self._closed = True
        self.stop()
        for thread in self._running:
            thread.join()

    def hash_rate(self) -> float:
        """The recent hash rate, 0 while there is no job."""
        return 0.0 if self._job is None else self._meter.rate(time.monotonic_ns())

    @property
    def hashes(self) -> int:
        """Headers tried so far."""
        return self._meter.total

    def _replace(self, job: Job | None) -> None:
        with self._changed:
            if self._job is not None:
                self._job.stop.set()
            self._job = job
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
        done: Job | None = None
        while True:
            job = self._next_job(done)
            if job is None:
                return
            while not job.stop.is_set():
                slice_nonces = self._scan(job, slice_nonces)
            done = job

    def _next_job(self, done: Job | None) -> Job | None:
        """Wait for a job other than the one that is done; None at the end."""
        with self._changed:
            while not self._closed and (self._job is None or self._job is done):
                self._changed.wait()
            return None if self._closed else self._job

    def _scan(self, job: Job, slice_nonces: int) -> int:
        """Try all nonces of one unit of work, in slices; returns the slice size that fits `SLICE_NS`."""
        work, versions = job.work(), job.versions
        start = 0
        while start < NONCES and not job.stop.is_set():
            header = work.header()
            began_ns = time.monotonic_ns()
            count = min(slice_nonces, NONCES - start)
            hit, hashes = native.search_rolling(header, versions, job.target, start, count, job.stop)
            ended_ns = time.monotonic_ns()
            self._meter.add(hashes, ended_ns)
            if hit is None:
                start += count
                slice_nonces = _next_slice(hashes // len(versions), ended_ns - began_ns, slice_nonces)
            else:
                nonce, version = hit
                work.found(header, nonce, version)
                start = nonce + 1
        return slice_nonces


def _next_slice(nonces: int, took_ns: int, before: int) -> int:
    """Nonces that should take `SLICE_NS`, at most four times as many as before."""
    if took_ns <= 0 or nonces < before // 2:  # stopped early: not representative
        return before
    return max(FIRST_SLICE, min(nonces * SLICE_NS // took_ns, 4 * before, NONCES))
