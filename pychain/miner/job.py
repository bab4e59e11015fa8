"""Jobs of a Stratum server, as the search threads take them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from pychain import native
from pychain.base.time import NS
from pychain.stratum.client import Assignment, Share
from pychain.stratum.jobs import rolled_versions

ROOM_WAIT_S = 0.1
"""How often a thread that waits for answers checks whether its work is still wanted."""


class PoolJob:
    """One assignment: each unit of work takes the next second extra nonce.

    `found` is called on the thread that found a share. Each share first acquires `room`: when too many shares are
    unanswered, the threads wait. A share that is a block ends the job, since the next one is on its way. `numbers` are
    the connection's extra nonces: if a server repeats a job, no header is searched twice."""

    def __init__(
        self,
        assignment: Assignment,
        numbers: Iterator[int],
        room: threading.Semaphore,
        found: Callable[[Share], None],
    ) -> None:
        self.assignment = assignment
        self.target = assignment.target
        self.versions = rolled_versions(assignment.job.version, assignment.version_mask, native.MAX_VERSIONS)
        self.stop = native.StopFlag()
        self._numbers = numbers
        self._room = room
        self._found = found
        self._begun_ns = time.monotonic_ns()

    def work(self) -> ExtranonceWork:
        size = self.assignment.extranonce2_bytes
        return ExtranonceWork(self, (next(self._numbers) % (1 << 8 * size)).to_bytes(size, "big"))

    def time(self) -> int:
        """The header's time now: the job's, plus the time since it arrived."""
        return (self.assignment.job.time + (time.monotonic_ns() - self._begun_ns) // NS) % 2**32

    def share(self, share: Share) -> None:
        """Report a share as soon as there is room; a share of a replaced job is dropped."""
        while not self._room.acquire(timeout=ROOM_WAIT_S):
            if self.stop.is_set():
                return
        if self.stop.is_set():
            self._room.release()
            return
        if share.is_block:
            self.stop.set()
        self._found(share)


class ExtranonceWork:
    """The headers of one second extra nonce."""

    def __init__(self, job: PoolJob, extranonce2: bytes) -> None:
        self._pool_job = job
        self._extranonce2 = extranonce2
        assignment = job.assignment
        self._merkle_root = assignment.job.merkle_root(assignment.extranonce1 + extranonce2)
        self._time = 0

    def header(self) -> bytes:
        self._time = self._pool_job.time()
        job = self._pool_job.assignment.job
        return job.header(self._merkle_root, job.version, self._time)

    def found(self, header: bytes, nonce: int, version: int) -> None:
        assignment = self._pool_job.assignment
        solved = assignment.job.header(self._merkle_root, version, self._time, nonce)
        value = int.from_bytes(native.header_hash(solved), "little")
        is_block = value <= assignment.block_target
        self._pool_job.share(Share(assignment, self._extranonce2, self._time, nonce, version, is_block))
