"""The disk of a simulated machine: a memory store that can be slow, full, torn or damaged, on demand or by a schedule.

Its random numbers come from a stream of their own, so disk faults do not change other random choices of a world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pychain import native
from pychain.base.entropy import Random
from pychain.base.time import seconds
from pychain.ledger.memory_store import MemoryStore
from pychain.p2p.draws import exponential
from pychain.sim.events import EventHeap

READ_NS = 200_000
COMMIT_NS = 2_000_000
SLOW_FACTOR = 100
"""The factor by which a slow disk is slower, as one that is shared or failing."""

_SEED_BYTES = 8


@dataclass(frozen=True, slots=True)
class DiskFaults:
    """The rates of disk faults: the mean time between two faults of a kind in seconds, 0 for never.

    damage_s: a random stored body is damaged. tear_s: the next crash tears the commit under way. fill_s: the disk is
    full for `full_for_s`. slow_s: it is slow, by `SLOW_FACTOR`, for `slow_for_s`.
    """

    damage_s: float = 0
    tear_s: float = 0
    fill_s: float = 0
    full_for_s: float = 5
    slow_s: float = 0
    slow_for_s: float = 5


class Disk:
    """One host's disk. `store`: read by its node; read_ns, commit_ns: durations of a read and a commit."""

    def __init__(self, heap: EventHeap, seed: int, name: str) -> None:
        """`name`: the host's, which has its own random stream in the world of this seed."""
        self.store = MemoryStore()
        self.read_ns = READ_NS
        self.commit_ns = COMMIT_NS
        self._heap = heap
        digest = native.sha256d(f"{seed}/{name}/disk".encode())
        self._random = Random(int.from_bytes(digest[:_SEED_BYTES], "little"))
        self._tears = False
        self._full_until_ns = 0
        self._slow_until_ns = 0
        self._schedules = 0
        """Counts schedules, so that faults of an earlier one do not happen in the next."""

    def takes_ns(self, duration_ns: int) -> int:
        """The present duration of an operation that takes `duration_ns` on a disk that is not slow."""
        return duration_ns * SLOW_FACTOR if self._heap.now_ns < self._slow_until_ns else duration_ns

    # --- on demand

    def fill(self) -> None:
        """Fill the disk: the commit under way fails, and the node stops with its durable tip intact."""
        self.store.full = True

    def free(self) -> None:
        """Make room again, for the node's next start: the failed store has to be reopened."""
        self.store.full = False

    def damage(self, block_hash: bytes) -> None:
        """Damage a stored body until it is stored again. KeyError if it is not stored."""
        self.store.damage(block_hash)

    def damage_any(self) -> bytes | None:
        """Damage a random body. Returns its hash, None if nothing is stored."""
        stored = self.store.stored()
        if not stored:
            return None
        block_hash = stored[self._random.below(len(stored))]
        self.store.damage(block_hash)
        return block_hash

    def tear_next_crash(self) -> None:
        """If the next crash comes during a commit, a part of it will have reached the disk.

        Chosen at random: some of its bodies and nothing else, all of it, or all of it except one body, as on a disk
        that reports writes as done too early.
        """
        self._tears = True

    # --- by a schedule

    def schedule(self, faults: DiskFaults) -> None:
        """Let faults happen at random times from now on, in place of any earlier schedule."""
        self.calm()
        self._plan(faults.damage_s, self.damage_any)
        self._plan(faults.tear_s, self.tear_next_crash)
        self._plan(faults.fill_s, lambda: self._fill_for(faults.full_for_s))
        self._plan(faults.slow_s, lambda: self._slow_for(faults.slow_for_s))

    def calm(self) -> None:
        """End the schedule: the disk has room and normal speed. Damaged bodies stay damaged."""
        self._schedules += 1
        self._slow_until_ns = self._heap.now_ns
        self._tears = False
        self.free()

    def _plan(self, mean_s: float, fault: Callable[[], object]) -> None:
        if not mean_s:
            return
        schedule = self._schedules

        def happen() -> None:
            if schedule == self._schedules:
                fault()
                self._plan(mean_s, fault)

        self._heap.after(exponential(self._random, seconds(mean_s)), happen)

    def _fill_for(self, duration_s: float) -> None:
        self.fill()
        until_ns = self._full_until_ns = self._heap.now_ns + seconds(duration_s)
        self._heap.at(until_ns, lambda: self.free() if until_ns == self._full_until_ns else None)

    def _slow_for(self, duration_s: float) -> None:
        self._slow_until_ns = self._heap.now_ns + seconds(duration_s)

    # --- called by the host

    def mount(self) -> None:
        """Open the store for a node's next start, however it ended before."""
        self.store.crash()

    def crash(self) -> None:
        """The power goes."""
        torn = self._torn() if self._tears and self.store.under_way else ()
        self._tears = False
        self.store.crash(torn)

    def _torn(self) -> tuple[bytes, ...]:
        """The bodies of the commit under way that are stored without it; none if all of it has been made durable."""
        bodies = tuple(self.store.under_way[0].bodies)
        reached = bodies[: self._random.below(len(bodies) + 1)]
        whole, loses_one = self._random.below(2), self._random.below(2)
        if self.store.full or not whole:
            return reached
        self.store.finish()
        if bodies and loses_one:
            self.store.damage(bodies[self._random.below(len(bodies))])
        return ()
