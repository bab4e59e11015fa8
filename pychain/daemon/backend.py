"""The API's backend in a daemon: an event loop, threads, and this machine. Loop thread only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pychain.api.meters import Meters
from pychain.daemon.engine import Engine
from pychain.daemon.miner import Miner
from pychain.daemon.pruner import lowest_kept
from pychain.daemon.transport import Transport
from pychain.node.inputs import Tick
from pychain.p2p.netaddress import NetAddress
from pychain.system.entropy import SystemEntropy

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from pychain.api.hub import EventHub
    from pychain.daemon.stratum.server import StratumServer

T = TypeVar("T")


class LoopSignal:
    """A signal of the event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.set = self._event.set
        self.clear = self._event.clear

    async def wait(self, timeout_s: float | None = None) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class ThisMachine:
    """The machine of a daemon's node. `stop`: begin a clean stop and return at once."""

    node_id: str
    agent: str
    addresses: tuple[NetAddress, ...]
    started_ns: int
    miner: Miner
    stratum: StratumServer | None
    meters: Meters
    transport: Transport
    stop: Callable[[], None]
    prune_height: Callable[[], int | None]

    @property
    def refused_connections(self) -> int:
        return self.transport.refused

    def process_metrics(self) -> Iterable[Metric]:
        from prometheus_client import PlatformCollector, ProcessCollector  # loaded on demand

        return [*ProcessCollector(registry=None).collect(), *PlatformCollector(registry=None).collect()]


class DaemonBackend:
    """An engine, its events, and the machine that it runs on."""

    def __init__(self, engine: Engine, events: EventHub, machine: ThisMachine) -> None:
        self.queries = engine.node.queries
        self.store = engine.store
        self.clock = engine.clock
        self.entropy = SystemEntropy()
        self.machine = machine
        self.ask = engine.driver.ask
        self.body = engine.workers.body
        self.read_body = engine.workers.read_body
        self.listen = events.listen
        self.subscribe = events.subscribe
        self.signal = LoopSignal
        self._feed = engine.driver.feed
        self._tasks: dict[asyncio.Task[None], None] = {}

    @property
    def mocked_s(self) -> int | None:
        return self.clock.mocked_s

    def mock_time(self, wall_s: int | None) -> None:
        self.clock.mock(wall_s)
        self._feed(Tick())

    def aside(self, work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.to_thread(work)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks[task] = None  # the loop itself does not keep tasks alive
        task.add_done_callback(self._tasks.pop)
        return task


def prune_height(engine: Engine) -> Callable[[], int | None]:
    """A function that finds the height from which on all blocks are stored, if old ones are pruned."""
    if not engine.prunes:
        return lambda: None
    return lambda: lowest_kept(engine.store, engine.node.queries)
