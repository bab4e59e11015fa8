"""Jobs of a Stratum server as puzzles for the search threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from pychain import native
from pychain.base.time import NS
from pychain.stratum.client import Assignment, Share
from pychain.stratum.jobs import rolled_versions

ROOM_WAIT_S = 0.1
"""How often a thread that waits for answers looks whether its work is still wanted."""


class JobPuzzle:
    """One assignment: each ticket takes the next second extra nonce.

    `found` is called on the thread that found a share. `room` is taken before each: while the server owes answers to
    as many shares as it has places, the threads wait. A share that is a block ends the puzzle, since the next job is
    on its way. `numbers` are the connection's extra nonces: jobs that a server repeats are not searched again."""

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

    def ticket(self) -> ExtranonceTicket:
        size = self.assignment.extranonce2_bytes
        return ExtranonceTicket(self, (next(self._numbers) % (1 << 8 * size)).to_bytes(size, "big"))

    def time(self) -> int:
        """The header's time now: the job's, and what has passed since it came."""
        return (self.assignment.job.time + (time.monotonic_ns() - self._begun_ns) // NS) % 2**32

    def share(self, share: Share) -> None:
        """Hand a share on, as soon as there is room; one whose job was replaced meanwhile is worth nothing."""
        while not self._room.acquire(timeout=ROOM_WAIT_S):
            if self.stop.is_set():
                return
        if self.stop.is_set():
            self._room.release()
            return
        if share.is_block:
            self.stop.set()
        self._found(share)


class ExtranonceTicket:
    """One second extra nonce of a job."""

    def __init__(self, puzzle: JobPuzzle, extranonce2: bytes) -> None:
        self._puzzle = puzzle
        self._extranonce2 = extranonce2
        assignment = puzzle.assignment
        self._merkle_root = assignment.job.merkle_root(assignment.extranonce1 + extranonce2)
        self._time = 0

    def header(self) -> bytes:
        self._time = self._puzzle.time()
        job = self._puzzle.assignment.job
        return job.header(self._merkle_root, job.version, self._time)

    def found(self, header: bytes, nonce: int, version: int) -> None:
        assignment = self._puzzle.assignment
        solved = assignment.job.header(self._merkle_root, version, self._time, nonce)
        value = int.from_bytes(native.header_hash(solved), "little")
        is_block = value <= assignment.block_target
        self._puzzle.share(Share(assignment, self._extranonce2, self._time, nonce, version, is_block))
