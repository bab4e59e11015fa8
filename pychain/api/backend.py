"""The backend: all that the API needs of its node and of the runtime that the node lives in (geth's `ethapi.Backend`).

A daemon implements it on an event loop, threads and a disk; the simulation in virtual time. The API itself touches
neither clock nor thread, so the same calls get the same answers in both.
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
    """The machine's own miner.

    template: what is being mined, None while nothing is. hashes: headers tried so far.
    """

    @property
    def template(self) -> BlockTemplate | None: ...

    @property
    def threads(self) -> int: ...

    @property
    def hashes(self) -> int: ...

    def hash_rate(self) -> float:
        """Hashes a second, 0 while nothing is mined."""
        ...


class Stratum(Protocol):
    """The machine's Stratum server. listening: host:port. registry: what is counted of shares."""

    @property
    def listening(self) -> str: ...

    @property
    def registry(self) -> Registry: ...

    @property
    def sessions(self) -> Collection[Session]: ...


class Machine(Protocol):
    """What a node runs on: facts for the operator, and the switch.

    addresses: those that peers can connect to, none where the node does not listen. started_ns: monotonic. stratum:
    None where there is none. meters: how long the node's work takes.
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
        """Connections of peers that were closed because there was no room."""
        ...

    def prune_height(self) -> int | None:
        """The lowest block from which on all are stored; None where old ones are kept."""
        ...

    def process_metrics(self) -> Iterable[Metric]:
        """What the operating system says of the process, none where that is not the node's own."""
        ...

    def stop(self) -> None:
        """Begin a clean stop, and return at once."""
        ...


class Backend(Protocol):
    """One running node. All of it is used on the runtime's one thread, but for what `aside` runs.

    queries: what the node shows at once. store: the durable state, for reads. entropy: for template extras and ids.
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
        """Where the wall clock stands still, None where it goes."""
        ...

    def mock_time(self, wall_s: int | None) -> None:
        """Let the wall clock stand still, or go again; the node looks at once at what waited for that time. Whether
        the network allows it (dev networks alone do) is for the caller to have asked."""
        ...

    def ask(self, request: Request, /) -> Awaitable[Answer]:
        """Put a request to the node; NodeEndedError where it ends before it answers."""
        ...

    def listen(self, listener: Callable[[Event], None], /) -> None:
        """Call `listener` with every event of the node, at once; it must be quick."""
        ...

    def subscribe(self, *kinds: type[Event]) -> Subscription:
        """The node's events from now on, of these kinds if any are named."""
        ...

    def body(self, block_hash: bytes, /) -> Awaitable[bytes | None]:
        """A raw block; None where it is not stored, OSError where the disk is damaged."""
        ...

    def read_body(self, block_hash: bytes, /) -> bytes | None:
        """As `body`, at once: for work aside."""
        ...

    def aside(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Run a function beside the node, which must read nothing that the node changes."""
        ...

    def signal(self) -> Signal:
        """A signal that is not set."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, None], /) -> Task:
        """Run a coroutine by itself."""
        ...
