"""The miner: threads at idle priority that search for a nonce, each on coinbases of its own.

No two threads hash the same header: a thread takes the next extra nonce, which makes a coinbase, and with it scans the
32-bit nonces in slices, each under several versions; the time moves on from slice to slice. A new template stops every
running slice at once.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pychain import native
from pychain.base.codec import u64
from pychain.base.time import NS
from pychain.chain.block import Block
from pychain.daemon.clock import Clock
from pychain.daemon.entropy import SystemEntropy
from pychain.daemon.hashmeter import HashMeter
from pychain.daemon.priority import lower_thread_priority
from pychain.ledger.template import BLOCK_VERSION, BlockTemplate

_log = logging.getLogger(__name__)

NONCES = 2**32
VERSIONS = tuple(BLOCK_VERSION | bits << 13 for bits in range(native.MAX_VERSIONS))
"""Tried at once for each nonce, since that costs less a hash; the bits are those that BIP 320 leaves to miners."""
SALT_BYTES = 24
"""Random at the head of each extra, so that two nodes that mine to one key still hash different headers."""
SLICE_NS = NS // 4
"""One search: the header's time is at most this old, and the interpreter's lock is wanted four times a second."""
FIRST_SLICE = 1 << 8
"""Nonces of a thread's first slice, and the least of any: microseconds in C, milliseconds in pure Python."""


@dataclass(frozen=True)
class _Job:
    """What all threads work on; replaced whole. `stop` ends its searches, `extras` numbers its coinbases."""

    template: BlockTemplate
    recipient: bytes
    salt: bytes
    stop: native.StopFlag = field(default_factory=native.StopFlag)
    extras: itertools.count[int] = field(default_factory=itertools.count)


class Miner:
    """Mining threads; they start with the first template.

    On a mining thread, `found` is called with each solved block and `fail` with an exception that is a bug."""

    def __init__(
        self, threads: int, clock: Clock, found: Callable[[Block], None], fail: Callable[[BaseException], None]
    ) -> None:
        self.threads = threads
        self._clock = clock
        self._found = found
        self._fail = fail
        self._meter = HashMeter()
        self._changed = threading.Condition()
        self._job: _Job | None = None
        self._closed = False
        self._running: list[threading.Thread] = []
        self.template: BlockTemplate | None = None
        """What is being mined, None while nothing is."""

    def start(self, template: BlockTemplate, recipient: bytes) -> None:
        """Search on this template, paying to a 32-byte key, instead of any before it."""
        if self.template is None:
            self._meter.begin(time.monotonic_ns())
        self.template = template
        self._replace(_Job(template, recipient, SystemEntropy().bytes(SALT_BYTES)))
        while len(self._running) < self.threads:
            thread = threading.Thread(target=self._run, name=f"mine-{len(self._running)}", daemon=True)
            self._running.append(thread)
            thread.start()

    def stop(self) -> None:
        """Search no more, until the next template."""
        self.template = None
        self._replace(None)

    def close(self) -> None:
        """End the threads, and wait for them."""
        with self._changed:
            self._closed = True
        self.stop()
        for thread in self._running:
            thread.join()

    def hash_rate(self) -> float:
        """Hashes a second of late, 0 while nothing is mined."""
        return 0.0 if self.template is None else self._meter.rate(time.monotonic_ns())

    @property
    def hashes(self) -> int:
        """Nonces tried so far."""
        return self._meter.total

    def _replace(self, job: _Job | None) -> None:
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
        done: _Job | None = None
        while True:
            job = self._next_job(done)
            if job is None:
                return
            while not job.stop.is_set():
                slice_nonces = self._scan(job, slice_nonces)
            done = job

    def _next_job(self, done: _Job | None) -> _Job | None:
        """Wait for another job than the one that is done; None at the end."""
        with self._changed:
            while not self._closed and (self._job is None or self._job is done):
                self._changed.wait()
            return None if self._closed else self._job

    def _scan(self, job: _Job, slice_nonces: int) -> int:
        """Try all nonces of one coinbase, in slices; returns how large a slice proved to be right."""
        coinbase = job.template.coinbase(job.recipient, job.salt + u64(next(job.extras)))
        start = 0
        while start < NONCES and not job.stop.is_set():
            block_time = max(job.template.time, self._clock.wall_s())
            header = job.template.header_prefix(coinbase, block_time)
            began_ns = time.monotonic_ns()
            count = min(slice_nonces, NONCES - start)
            hit, hashes = native.search_rolling(header, VERSIONS, job.template.target, start, count, job.stop)
            ended_ns = time.monotonic_ns()
            self._meter.add(hashes, ended_ns)
            if hit is not None:
                nonce, version = hit
                self._solved(job, job.template.block(coinbase, block_time, nonce, version))
                break
            start += count
            slice_nonces = _next_slice(hashes // len(VERSIONS), ended_ns - began_ns, slice_nonces)
        return slice_nonces

    def _solved(self, job: _Job, block: Block) -> None:
        """One block a template: the first thread to solve it ends the job and reports, unless it was replaced."""
        with self._changed:
            first = not job.stop.is_set()
            job.stop.set()
        if first:
            self._found(block)


def _next_slice(nonces: int, took_ns: int, before: int) -> int:
    """Nonces that should take `SLICE_NS`, at most four times as many as before."""
    if took_ns <= 0 or nonces < before // 2:  # stopped early: says little
        return before
    return max(FIRST_SLICE, min(nonces * SLICE_NS // took_ns, 4 * before, NONCES))
