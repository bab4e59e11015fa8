"""The backend: the API's interface to its node and to the node's runtime (geth's `ethapi.Backend`).

A daemon implements it on an event loop, threads and a disk; the simulation in virtual time. The API itself uses
no clock and no threads, so the same calls get the same answers in both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pychain.api.hub import Subscription
from pychain.api.runtime import Clock, Signal, Task
from pychain.base.entropy import Entropy
from pychain.base.errors import PychainError
from pychain.ledger.store import Store
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event
from pychain.node.queries import Queries
from pychain.node.requests import Answer, Request
from pychain.p2p.netaddress import NetAddress

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from pychain.api.meters import Meters
    from pychain.stratum.server.registry import Registry
    from pychain.stratum.server.session import Session

T = TypeVar("T")


class NodeEndedError(PychainError):
    """The node has stopped, or stopped before it answered."""


class Miner(Protocol):
    """The node's own miner.

    template: the template being mined, or None. hashes: headers tried so far.
    """

    @property
    def template(self) -> BlockTemplate | None: ...

    @property
    def threads(self) -> int: ...

    @property
    def hashes(self) -> int: ...

    def hash_rate(self) -> float:
        """Hashes per second, 0 while not mining."""
        ...


class Stratum(Protocol):
    """The machine's Stratum server. listening: host:port. registry: share counts."""

    @property
    def listening(self) -> str: ...

    @property
    def registry(self) -> Registry: ...

    @property
    def sessions(self) -> Collection[Session]: ...


class Machine(Protocol):
    """The machine that a node runs on: facts for the operator, and a way to stop.

    addresses: where peers can connect, none if the node does not listen. started_ns: monotonic. stratum: None
    if there is no server. meters: how long the node's work takes.
    """

    @property
    def node_id(self) -> str: ...

    @property
    def agent(self) -> str: ...

    @property
    def addresses(self) -> tuple[NetAddress, ...]: ...

    @property
    def started_ns(self) -> int: ...

    @property
    def miner(self) -> Miner: ...

    @property
    def stratum(self) -> Stratum | None: ...

    @property
    def meters(self) -> Meters: ...

    @property
    def refused_connections(self) -> int:
        """Peer connections closed because there was no room."""
        ...

    def prune_height(self) -> int | None:
        """The height from which on all blocks are stored; None if the node does not prune."""
        ...

    def process_metrics(self) -> Iterable[Metric]:
        """The operating system's metrics of the process; none if the process is not the node's own."""
        ...

    def stop(self) -> None:
        """Begin a clean stop and return at once."""
        ...


class Backend(Protocol):
    """One running node. Use it only on the runtime's one thread, except inside functions that `aside` runs.

    queries: immediate reads of the node's state. store: the durable state, for reads. entropy: for template extras
    and ids.
    """

    @property
    def queries(self) -> Queries: ...

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def entropy(self) -> Entropy: ...

    @property
    def machine(self) -> Machine: ...

    @property
    def mocked_s(self) -> int | None:
        """The mocked wall time, None if the clock runs."""
        ...

    def mock_time(self, wall_s: int | None) -> None:
        """Stop the wall clock at a time, or let it run again; the node checks at once what was waiting for that time.
        The caller must have checked that the network allows it (only dev networks do)."""
        ...

    def ask(self, request: Request, /) -> Awaitable[Answer]:
        """Send a request to the node; NodeEndedError if the node ends before it answers."""
        ...

    def listen(self, listener: Callable[[Event], None], /) -> None:
        """Call `listener` with every event of the node, at once; it must be quick."""
        ...

    def subscribe(self, *kinds: type[Event]) -> Subscription:
        """The node's events from now on, only of these kinds if any are given."""
        ...

    def body(self, block_hash: bytes, /) -> Awaitable[bytes | None]:
        """A raw block; None if it is not stored, OSError if the disk is damaged."""
        ...

    def read_body(self, block_hash: bytes, /) -> bytes | None:
        """Like `body`, but blocking: for functions that `aside` runs."""
        ...

    def aside(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Run a function on another thread; it must not read anything that the node changes."""
        ...

    def signal(self) -> Signal:
        """A new signal, not set."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, None], /) -> Task:
        """Run a coroutine as a task."""
        ...
