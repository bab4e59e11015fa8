"""What the API of a simulated host needs of the host and of the simulation around it."""

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
    """A host with its node, and what an operator may know of it.

    started_ns: when its present life began. machine_s: its wall clock, mocked or not. template: what it mines.
    mining_ns: for how long it has mined in this life. mocked_s: where its clock stands still, None where it goes.
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
        """How long a read from its disk takes now."""
        ...

    @property
    def events_of_life(self) -> list[Event]:
        """What the node has published in its present life."""
        ...

    def body(self, block_hash: bytes) -> bytes | None:
        """A stored block; the node hears of one that is damaged. DamagedBlockError."""
        ...

    def ask(self, request: Request, then: Callable[[Answer], None] | None = None) -> int:
        """Hand a request to the node; its answer comes to `then`."""
        ...

    def feed(self, incoming: Input) -> None:
        """Hand an input to the node."""
        ...

    def stop(self) -> None:
        """Ask the node to end in order."""
        ...
