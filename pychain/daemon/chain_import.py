"""Loading a chain file into a data directory through the node's own pipeline, which checks every rule.

The file is read a bounded amount ahead of the durable tip, so memory does not grow with the chain.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pychain.api.meters import Meters
from pychain.base.errors import PychainError
from pychain.daemon.chain_file import read_chain
from pychain.daemon.datadir import DataDirectory
from pychain.daemon.engine import Engine, disk_limits
from pychain.daemon.interpreter import WORKING
from pychain.daemon.loop import loop_factory
from pychain.daemon.settings import Settings
from pychain.node.config import NodeConfig
from pychain.node.effects import Effect, Publish, StopMining
from pychain.node.events import BlockRefused
from pychain.node.inputs import Start, Stop
from pychain.node.requests import INCONCLUSIVE, AwaitRest, LoadBlocks, Refused

CHUNK_BLOCKS = 500
CHUNK_BYTES = 4 * 1024 * 1024
"""Blocks submitted to the node at once."""
VERIFIERS = 2
"""The next blocks are checked beside signatures. (In a daemon that would delay answers, see `interpreter`.)"""
READ_BYTES = 1024 * 1024
"""Read from the file at once: blocks may be a few hundred bytes."""
CHUNKS_AHEAD = 8
"""Chunks read and not yet durable: enough to keep verifiers, node and disk busy, within about 40 MB."""


class ImportFailedError(PychainError):
    """A block of the file breaks a rule, or does not belong to this chain."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an import: durable height, and bytes read out of the file's size."""

    height: int
    read_bytes: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Imported:
    """The durable tip's height after an import, and whether the file's last block is on its chain: otherwise the
    blocks are kept as a branch with less work."""

    height: int
    is_best: bool


def import_chain(settings: Settings, path: Path, report: Callable[[Progress], None]) -> Imported:
    """Load a chain file into the settings' data directory, which no other node may use meanwhile.

    Errors are ChainFileError, ImportFailedError, ConfigError, StoreError and OSError; blocks already durable stay.
    """
    with path.open("rb", READ_BYTES) as source:
        directory = DataDirectory(settings.datadir)
        try:
            WORKING.begin()
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                return runner.run(_load(settings, source, path.stat().st_size, report))
        finally:
            directory.close()


class _Loader:
    """One import: an engine, and the blocks that its node refused."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.refused: str | None = None
        self.is_best = True
        """Whether the last submitted blocks are on the best chain."""
        config = NodeConfig(rulebook=settings.load_rulebook(), connect_only=True)
        options = settings.options
        self.engine = Engine(
            settings.datadir,
            config,
            options.verify_threads or VERIFIERS,
            disk_limits(options),
            stack,
            Meters(),
            self._carry,
            WORKING,
        )
        stack.push_async_callback(self.engine.workers.close)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Publish(BlockRefused() as event):
                self.refused = event.detail
            case Publish() | StopMining():
                pass
            case _:
                raise AssertionError(f"a node without peers asks for {type(effect).__name__}")

    @property
    def height(self) -> int:
        return self.engine.node.queries.tip.height

    async def put(self, raws: tuple[bytes, ...]) -> None:
        """Submit blocks. ImportFailedError if one breaks a rule."""
        answer = await self.engine.driver.ask(LoadBlocks(raws))
        self.is_best = answer != INCONCLUSIVE
        if answer is not None and self.is_best:
            await self.engine.driver.ask(AwaitRest())
            why = self.refused or (answer.text if isinstance(answer, Refused) else str(answer))
            raise ImportFailedError(f"the block after height {self.height} is refused: {why}")


async def _load(settings: Settings, source: BinaryIO, file_bytes: int, report: Callable[[Progress], None]) -> Imported:
    async with AsyncExitStack() as stack:
        loader = _Loader(settings, stack)
        driver = loader.engine.driver
        driver.feed(Start())
        waiting: deque[asyncio.Task[None]] = deque()
        blocks = read_chain(source, settings.spec.genesis_hash, settings.spec.max_block_bytes)
        try:
            for chunk in _chunks(blocks):
                waiting.append(asyncio.create_task(loader.put(chunk)))
                await asyncio.sleep(0)
                while len(waiting) >= CHUNKS_AHEAD:
                    await waiting.popleft()
                report(Progress(loader.height, source.tell(), file_bytes))
            for task in waiting:
                await task
        finally:
            for task in waiting:
                task.cancel()
            driver.feed(Stop())
            fault = await driver.ended
        if fault is not None:
            raise ImportFailedError(fault)
        report(Progress(loader.height, file_bytes, file_bytes))
        return Imported(loader.height, loader.is_best)


def _chunks(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Chunks of up to `CHUNK_BLOCKS` blocks or about `CHUNK_BYTES`."""
    while True:
        room = CHUNK_BYTES
        chunk: list[bytes] = []
        for raw in blocks:
            chunk.append(raw)
            room -= len(raw)
            if room <= 0 or len(chunk) >= CHUNK_BLOCKS:
                break
        if not chunk:
            return
        yield tuple(chunk)
