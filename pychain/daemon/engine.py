"""A node on its disk, driven, with the threads that work for it: what a daemon is without its sockets.

The daemon adds peers, a miner and an API to it; loading and writing chain files need no more than this.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from pychain.daemon.clock import Clock
from pychain.daemon.driver import Driver
from pychain.daemon.entropy import SystemEntropy
from pychain.daemon.metrics.meters import Meters
from pychain.daemon.store import LmdbStore
from pychain.daemon.workers import Workers
from pychain.node.config import NodeConfig
from pychain.node.effects import Commit, Effect, ReadBlocks, VerifyBlocks, VerifyTransfers
from pychain.node.node import Node


class Engine:
    """Store, node, driver and workers of one data directory. Loop thread only.

    What it opens is pushed on `stack`, which takes it down again.
    """

    def __init__(
        self,
        directory: Path,
        config: NodeConfig,
        verifiers: int,
        cache_bytes: int,
        stack: AsyncExitStack,
        meters: Meters,
        carry: Callable[[Effect], None],
        on_congestion: Callable[[bool], None] = lambda congested: None,
    ) -> None:
        """`carry` is given the effects that are neither the disk's nor the verifiers'. StoreError, ConfigError: the
        directory is not for this chain, or cannot be used.
        """
        spec = config.rulebook.spec
        self._carry_elsewhere = carry
        self.store = LmdbStore(directory, spec.genesis_hash, cache_bytes=cache_bytes)
        stack.callback(self.store.close)
        self.node = Node(config, self.store, SystemEntropy())
        self.store.release_memory()  # of the whole header index
        self.clock = Clock()
        turns = meters.turns.observe
        self.driver = Driver(self.node, self.clock, self._carry, self.store.advance, on_congestion, turns)
        self.workers = Workers(spec, self.store, self.driver.feed, self.driver.fail, verifiers, meters)

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
            case _:
                self._carry_elsewhere(effect)
