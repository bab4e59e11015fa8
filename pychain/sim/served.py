"""The interfaces that the API of a simulated host needs: of the host, and of the simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pychain.base.time import Now
from pychain.ledger.store import Store
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event
from pychain.node.inputs import Input
from pychain.node.node import Node
from pychain.node.requests import Answer, Request
from pychain.p2p.netaddress import NetAddress
from pychain.sim.events import EventHeap, Trace


class Simulation(Protocol):
    """The simulation that a host is part of."""

    seed: int
    heap: EventHeap
    trace: Trace


class ServedHost(Protocol):
    """A host with its node, as its operator sees it.

    started_ns: when it last started. machine_s: its wall clock, mocked or not. template: what it mines. mining_ns: for
    how long it has mined since it started. mocked_s: the time of its mocked clock, None if it is not mocked.
    """

    name: str
    address: NetAddress
    hash_rate: float
    started_ns: int
    mocked_s: int | None
    template: BlockTemplate | None

    @property
    def node(self) -> Node: ...

    @property
    def is_running(self) -> bool: ...

    @property
    def store(self) -> Store: ...

    @property
    def now(self) -> Now: ...

    @property
    def machine_s(self) -> int: ...

    @property
    def mining_ns(self) -> int: ...

    @property
    def read_ns(self) -> int:
        """The present duration of a read from its disk."""
        ...

    @property
    def events_of_life(self) -> list[Event]:
        """The events that the node has published since it started."""
        ...

    def body(self, block_hash: bytes) -> bytes | None:
        """A stored block. DamagedBlockError if it is damaged, which is also reported to the node."""
        ...

    def ask(self, request: Request, then: Callable[[Answer], None] | None = None) -> int:
        """Send a request to the node; `then` is called with its answer."""
        ...

    def feed(self, incoming: Input) -> None:
        """Give the node an input."""
        ...

    def stop(self) -> None:
        """Ask the node to stop cleanly."""
        ...
