"""The chronicle of a world: which blocks were found, how they spread, which were reorganised; and the figures."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from msgspec import Struct

from pychain.base.time import NS
from pychain.chain.block import Block
from pychain.node.events import Event, NewTip
from pychain.sim.events import EventHeap
from pychain.sim.host import Host

MS = 1_000_000

Progress = Callable[[int, int, int], None]
"""Called with the progress of a run: virtual time in ns, the height reached, the target height."""


class Figures(Struct, kw_only=True):
    """The figures that every scenario reports. Times are virtual.

    found: blocks that miners found; height: of the chain that all agree on at the end; stale: blocks found that are not
    in it. reorganisations: of all nodes together; deepest: blocks that the largest of them took back. spread: time from
    a block's finding until it is another node's durable tip, over all blocks and nodes; where a node had to reorganise
    for it, how it waited for more work is left out.
    """

    height: int
    found: int
    stale: int
    stale_rate: float
    interval_s: float
    reorganisations: int
    deepest: int
    spread_ms_median: float
    spread_ms_p90: float
    spread_ms_p99: float


class Chronicle:
    """A watcher that records. For hosts in `unheard` only the blocks that they find are recorded, not their tips."""

    def __init__(self, heap: EventHeap, progress: Progress) -> None:
        self._heap = heap
        self._progress = progress
        self.unheard: Container[str] = ()
        self.goal = 0
        """The target height of the run, for progress."""
        self.height = 0
        """The highest tip of any node."""
        self.finder: dict[bytes, str] = {}
        """The finder of each block, by hash, in the order of finding."""
        self.delays_ns: list[int] = []
        """Time from finding a block until it is another node's tip, without reorganisations."""
        self.reorganisations = 0
        self.deepest = 0
        self._found_ns: dict[bytes, int] = {}
        self._reached: dict[tuple[bytes, str], None] = {}

    def found(self, host: Host, block: Block) -> None:
        self.finder[block.hash] = host.name
        self._found_ns[block.hash] = self._heap.now_ns

    def published(self, host: Host, event: Event) -> None:
        if not isinstance(event, NewTip) or host.name in self.unheard:
            return
        if event.disconnected:
            self.reorganisations += 1
            self.deepest = max(self.deepest, len(event.disconnected))
        else:
            for block_hash in event.connected:
                self._arrived(block_hash, host)
        if event.height > self.height:
            self.height = event.height
            self._progress(self._heap.now_ns, self.height, self.goal)

    def _arrived(self, block_hash: bytes, host: Host) -> None:
        finder = self.finder.get(block_hash)
        if finder is None or finder == host.name or (block_hash, host.name) in self._reached:
            return
        self._reached[block_hash, host.name] = None
        self.delays_ns.append(self._heap.now_ns - self._found_ns[block_hash])

    def chain(self, host: Host) -> list[bytes]:
        """The hashes of a host's chain above genesis, lowest first."""
        entries = [host.node.queries.at(height) for height in range(1, host.node.queries.tip.height + 1)]
        return [entry.hash for entry in entries if entry is not None]

    def figures(self, host: Host) -> Figures:
        """The figures of a world that has ended on the chain of this host."""
        chain = self.chain(host)
        found, height = len(self.finder), len(chain)
        in_order = sorted(self.delays_ns)
        return Figures(
            height=height,
            found=found,
            stale=found - height,
            stale_rate=ratio(found - height, found),
            interval_s=ratio(self._found_ns[chain[-1]], height * NS) if chain else 0.0,
            reorganisations=self.reorganisations,
            deepest=self.deepest,
            spread_ms_median=percentile_ms(in_order, 50),
            spread_ms_p90=percentile_ms(in_order, 90),
            spread_ms_p99=percentile_ms(in_order, 99),
        )


def ratio(part: float, whole: float) -> float:
    """The ratio to six digits; 0 if `whole` is 0."""
    return round(part / whole, 6) if whole else 0.0


def percentile_ms(in_order: Sequence[int], percent: int) -> float:
    """A percentile by nearest rank, of times in ns; 0 if there are none."""
    if not in_order:
        return 0.0
    return in_order[max(0, -(-len(in_order) * percent // 100) - 1)] / MS
