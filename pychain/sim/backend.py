"""A simulated host as the backend of the API: virtual time, no threads, a machine without sockets and disk."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from pychain.api.backend import NodeEndedError
from pychain.api.hub import EventHub
from pychain.api.meters import Meters
from pychain.base.time import NS, Now
from pychain.ledger.template import BlockTemplate
from pychain.node.inputs import Tick
from pychain.node.requests import Answer, Request
from pychain.p2p.netaddress import NetAddress
from pychain.sim.coroutines import Future, Signal, Task, Timers
from pychain.sim.entropy import SeededEntropy
from pychain.sim.served import ServedHost

if TYPE_CHECKING:
    from prometheus_client.core import Metric

T = TypeVar("T")

ASIDE_NS = 1_000_000
"""Simulated duration of any work aside."""
MS = 1_000_000
"""Nanoseconds in a millisecond."""


class HostClock:
    """A host's clock."""

    def __init__(self, host: ServedHost, timers: Timers) -> None:
        self._host = host
        self._timers = timers
        self.sleep = timers.sleep

    def now(self) -> Now:
        return self._host.now

    def mono_ns(self) -> int:
        return self._timers.now_ns

    def unix_ms(self) -> int:
        return self._host.machine_s * 1000 + self._timers.now_ns % NS // MS


class HostMiner:
    """A host's miner: one thread if it has a hash rate. No hashes are really computed."""

    def __init__(self, host: ServedHost) -> None:
        self._host = host

    @property
    def template(self) -> BlockTemplate | None:
        return self._host.template

    @property
    def threads(self) -> int:
        return 1 if self._host.hash_rate else 0

    @property
    def hashes(self) -> int:
        return int(self._host.mining_ns * self._host.hash_rate / NS)

    def hash_rate(self) -> float:
        return self._host.hash_rate if self._host.template is not None else 0.0


class HostMachine:
    """The machine of a simulated node. Its name is its id, and it serves no miners."""

    stratum = None
    refused_connections = 0

    def __init__(self, host: ServedHost, timers: Timers) -> None:
        self.node_id = host.name
        self.agent = host.node.config.agent
        self.addresses: tuple[NetAddress, ...] = (host.address,)
        self.started_ns = host.started_ns
        self.miner = HostMiner(host)
        self.meters = Meters()
        self._host = host
        self._timers = timers

    def prune_height(self) -> int | None:
        return None

    def process_metrics(self) -> Iterable[Metric]:
        """The process is the simulation's."""
        return ()

    def stop(self) -> None:
        self._timers.soon(self._host.stop)


class HostBackend:
    """The backend of one host between a start and the next stop or crash."""

    def __init__(self, host: ServedHost, timers: Timers, entropy: SeededEntropy) -> None:
        self.queries = host.node.queries
        self.store = host.store
        self.clock = HostClock(host, timers)
        self.entropy = entropy
        self.machine = HostMachine(host, timers)
        self.hub = EventHub(self.signal)
        self.listen = self.hub.listen
        self.subscribe = self.hub.subscribe
        self._host = host
        self._timers = timers
        self._ended = False
        self._asked: dict[Future[Answer], None] = {}
        self._tasks: dict[Task[Any], None] = {}

    @property
    def mocked_s(self) -> int | None:
        return self._host.mocked_s

    def mock_time(self, wall_s: int | None) -> None:
        self._host.mocked_s = wall_s
        self._timers.soon(lambda: None if self._ended else self._host.feed(Tick()))

    def ask(self, request: Request) -> Future[Answer]:
        answer: Future[Answer] = Future()
        if self._ended:
            answer.fail(NodeEndedError("the node has stopped"))
            return answer
        self._asked[answer] = None
        answer.then(lambda: self._asked.pop(answer, None))
        self._timers.soon(lambda: None if self._ended else self._put(request, answer))
        return answer

    def _put(self, request: Request, answer: Future[Answer]) -> None:
        self._host.ask(request, answer.resolve)

    def body(self, block_hash: bytes) -> Future[bytes | None]:
        return self._after(self._host.read_ns, lambda: self.read_body(block_hash))

    def read_body(self, block_hash: bytes) -> bytes | None:
        return self._host.body(block_hash)

    def aside(self, work: Callable[[], T]) -> Future[T]:
        return self._after(ASIDE_NS, work)

    def _after(self, span_ns: int, work: Callable[[], T]) -> Future[T]:
        """The result of some work, after a span of virtual time."""
        done: Future[T] = Future()

        def end() -> None:
            try:
                done.resolve(work())
            except Exception as error:
                done.fail(error)

        self._timers.later(span_ns, end)
        return done

    def signal(self) -> Signal:
        return Signal(self._timers)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Task[None]:
        """Start a task that nobody awaits: an exception in it is a bug, and ends the run."""
        task = self.run(coroutine)
        task.ended.then(lambda: None if task.cancelled else task.ended.result())
        return task

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task, which ends in a crash."""
        task = Task(self._timers, coroutine)
        self._tasks[task] = None
        task.ended.then(lambda: self._tasks.pop(task, None))
        return task

    def crash(self) -> None:
        """The process has crashed."""
        self._ended = True
        for task in list(self._tasks):
            task.cancel()

    def end(self) -> None:
        """The node has stopped."""
        self._ended = True
        for answer in list(self._asked):
            answer.fail(NodeEndedError("the node stopped before it answered"))
        self.hub.close()
