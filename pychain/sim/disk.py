"""The disk of a simulated machine: a store in memory that is slow, full, torn or damaged, on demand or by a schedule.

What it draws comes from a stream of its own, so a world whose disks are sound runs as if they could be nothing else.
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
"""How much longer everything takes while a schedule makes a disk slow: as one that is shared or about to die."""

_SEED_BYTES = 8


@dataclass(frozen=True, slots=True)
class DiskFaults:
    """How often a disk goes wrong by itself: the mean time between two faults of a kind in seconds, 0 for never.

    damage_s: a drawn body that is stored is damaged. tear_s: the next crash tears the commit under way. fill_s: the
    disk is full for `full_for_s`. slow_s: it is slow, by `SLOW_FACTOR`, for `slow_for_s`.
    """

    damage_s: float = 0
    tear_s: float = 0
    fill_s: float = 0
    full_for_s: float = 5
    slow_s: float = 0
    slow_for_s: float = 5


class Disk:
    """One host's disk. `store` is what its node reads; read_ns and commit_ns are what a read and a commit take."""

    def __init__(self, heap: EventHeap, seed: int, name: str) -> None:
        """`name`: the host's, which has draws of its own in the world of this seed."""
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
        """Counts schedules: what an earlier one planned does not happen in the next."""

    def takes_ns(self, duration_ns: int) -> int:
        """How long it takes now what takes so long on a disk that is not slow."""
        return duration_ns * SLOW_FACTOR if self._heap.now_ns < self._slow_until_ns else duration_ns

    # --- on demand

    def fill(self) -> None:
        """There is no room from now on: the commit under way fails, and its node ends with its durable tip intact."""
        self.store.full = True

    def free(self) -> None:
        """There is room again, for the node's next life: the store that failed has to be reopened."""
        self.store.full = False

    def damage(self, block_hash: bytes) -> None:
        """A stored body is not given back any more, until it is stored again. KeyError: it is not there."""
        self.store.damage(block_hash)

    def damage_any(self) -> bytes | None:
        """Damage a drawn body. Its hash, None where nothing is stored."""
        stored = self.store.stored()
        if not stored:
            return None
        block_hash = stored[self._random.below(len(stored))]
        self.store.damage(block_hash)
        return block_hash

    def tear_next_crash(self) -> None:
        """If the next crash comes within a commit, a part of it has reached the disk.

        Whichever is drawn: some of its bodies and nothing else, all of it, or all of it but for one body, which a disk
        loses that reports as written what is not.
        """
        self._tears = True

    # --- by a schedule

    def schedule(self, faults: DiskFaults) -> None:
        """From now on things go wrong at drawn moments, in the place of what an earlier schedule had planned."""
        self.calm()
        self._plan(faults.damage_s, self.damage_any)
        self._plan(faults.tear_s, self.tear_next_crash)
        self._plan(faults.fill_s, lambda: self._fill_for(faults.full_for_s))
        self._plan(faults.slow_s, lambda: self._slow_for(faults.slow_for_s))

    def calm(self) -> None:
        """End the schedule: there is room, and the disk is as fast as ever. What was damaged stays so."""
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

    # --- what a host does with it

    def mount(self) -> None:
        """Open the store for a node's next life, whatever ended the last one."""
        self.store.crash()

    def crash(self) -> None:
        """The power goes."""
        torn = self._torn() if self._tears and self.store.under_way else ()
        self._tears = False
        self.store.crash(torn)

    def _torn(self) -> tuple[bytes, ...]:
        """Which bodies of the commit under way are there without it: none where all of it has been made durable."""
        bodies = tuple(self.store.under_way[0].bodies)
        reached = bodies[: self._random.below(len(bodies) + 1)]
        whole, loses_one = self._random.below(2), self._random.below(2)
        if self.store.full or not whole:
            return reached
        self.store.finish()
        if bodies and loses_one:
            self.store.damage(bodies[self._random.below(len(bodies))])
        return ()
