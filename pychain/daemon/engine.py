"""A node with its store, driver and worker threads: a daemon without its sockets.

The daemon adds peers, a miner and an API; loading and writing chain files need only this.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from pychain.api.meters import Meters
from pychain.daemon.clock import Clock
from pychain.daemon.driver import Driver
from pychain.daemon.interpreter import Sharing
from pychain.daemon.pruner import Pruner
from pychain.daemon.settings import Options
from pychain.daemon.workers import Workers
from pychain.ledger.store import WritableStore
from pychain.node.config import NodeConfig
from pychain.node.effects import Commit, Effect, Publish, ReadBlocks, VerifyBlocks, VerifyTransfers
from pychain.node.events import NewTip
from pychain.node.node import Node
from pychain.store import LmdbStore
from pychain.store.block_files import ROLL_BYTES
from pychain.system.entropy import SystemEntropy

MIN_ROLL_BYTES = 1 << 20
"""A pruned node's block files are an eighth of what it keeps, so that each removal is small; this is the least size."""


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """Bytes for the state's cache and for block files (0: no limit)."""

    cache_bytes: int
    prune_bytes: int


def disk_limits(options: Options) -> DiskLimits:
    """The limits in the options."""
    return DiskLimits(options.cache_mb << 20, options.prune_mb << 20)


class Engine:
    """Store, node, driver and workers of one data directory. Loop thread only.

    Everything opened is pushed on `stack`, which closes it.
    """

    def __init__(
        self,
        directory: Path,
        config: NodeConfig,
        verifiers: int,
        limits: DiskLimits,
        stack: AsyncExitStack,
        meters: Meters,
        carry: Callable[[Effect], None],
        sharing: Sharing,
        on_congestion: Callable[[bool], None] = lambda congested: None,
    ) -> None:
        """`carry` gets the effects that are not for the disk or the verifiers. StoreError or ConfigError if the
        directory is for another chain, or cannot be used.
        """
        spec = config.rulebook.spec
        self._carry_elsewhere = carry
        roll_bytes = min(ROLL_BYTES, max(MIN_ROLL_BYTES, limits.prune_bytes // 8)) if limits.prune_bytes else ROLL_BYTES
        self.store: WritableStore = LmdbStore(
            directory, spec.genesis_hash, cache_bytes=limits.cache_bytes, roll_bytes=roll_bytes
        )
        stack.callback(self.store.close)
        self.prunes = limits.prune_bytes > 0
        self._pruner = Pruner(self.store, limits.prune_bytes)
        stack.push_async_callback(self._pruner.close)
        self.node = Node(config, self.store, SystemEntropy())
        self.store.release_memory()  # used by the whole header index
        self.clock = Clock()
        turns = meters.turns.observe
        self.driver = Driver(self.node, self.clock, self._carry, self.store.advance, on_congestion, turns)
        self.workers = Workers(spec, self.store, self.driver.feed, self.driver.fail, verifiers, meters, sharing)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case VerifyBlocks():
                self.workers.verify_blocks(effect)
            case VerifyTransfers(job, transfers):
                self.workers.verify_transfers(job, transfers)
            case ReadBlocks():
                self.workers.read_blocks(effect)
            case Commit(job, batch):
                self.workers.commit(job, batch)
            case Publish(NewTip(_, height)):
                self._pruner.tip_moved(height)
                self._carry_elsewhere(effect)
            case _:
                self._carry_elsewhere(effect)
