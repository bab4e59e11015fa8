"""A sub-protocol from outside the package: one class, one message, one line of registration; simulated and real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar

import pytest

from pychain.api.meters import Meters
from pychain.base.errors import ConfigError
from pychain.base.time import Now
from pychain.chain.spec import packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.daemon.engine import DiskLimits, Engine
from pychain.daemon.interpreter import ANSWERING
from pychain.daemon.listeners import bind_listeners
from pychain.daemon.transport import Transport
from pychain.node.config import NodeConfig
from pychain.node.effects import Dial, Effect, HangUp, Send
from pychain.node.inputs import Input, Start, Stop
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.manager import Handler, Manager, Surroundings
from pychain.p2p.messages import FIRST_PRIVATE_TYPE, Fields, Ping
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.sim.world import World
from tests.conftest import Run

RULEBOOK = Rulebook(packaged_spec("dev"))
LOOPBACK = "127.0.0.1"
TEXT = "hello there"


class Greeting(Fields, frozen=True):
    """The one message."""

    text: str


class Greeter(Manager):
    """Greets each peer once, and remembers who greeted it."""

    messages: ClassVar[Mapping[int, type[Fields]]] = {FIRST_PRIVATE_TYPE: Greeting}

    def __init__(self, surroundings: Surroundings) -> None:
        self._wire = surroundings.wire
        self.heard: list[str] = []
        self.on_heard: Callable[[], None] = lambda: None

    def handlers(self) -> Mapping[type[Fields], Handler]:
        return {Greeting: self._on_greeting}

    def peer_ready(self, peer: Peer, now: Now) -> None:
        self._wire.send(peer.peer_id, Greeting(TEXT))

    def _on_greeting(self, peer: Peer, greeting: Greeting, now: Now) -> None:
        self.heard.append(greeting.text)
        self.on_heard()


class Registered:
    """Makes one greeter per node, and keeps them for the test to inspect."""

    def __init__(self) -> None:
        self.greeters: list[Greeter] = []

    def __call__(self, surroundings: Surroundings) -> Greeter:
        self.greeters.append(Greeter(surroundings))
        return self.greeters[-1]


def test_it_runs_between_two_simulated_nodes() -> None:
    registered = Registered()
    world = World(RULEBOOK, seed=1)
    config = NodeConfig(RULEBOOK, managers=(registered,))
    world.add("a", config=config)
    world.add("b", ["a"], config=config)
    world.start()
    world.run_for(5)
    assert [greeter.heard for greeter in registered.greeters] == [[TEXT], [TEXT]]


def test_a_node_that_does_not_know_it_ignores_it() -> None:
    registered = Registered()
    world = World(RULEBOOK, seed=1)
    world.add("a", config=NodeConfig(RULEBOOK, managers=(registered,)))
    stranger = world.add("b", ["a"])
    world.start()
    world.run_for(5)
    assert registered.greeters[0].heard == []
    (peer,) = stranger.node.queries.peers()
    assert peer.is_open
    assert peer.unknown_messages == 1


class RealNode:
    """A node with a disk and sockets: a daemon without its API."""

    def __init__(self, directory: Path, config: NodeConfig, stack: AsyncExitStack) -> None:
        limits = DiskLimits(1 << 20, 0)
        self.transport = Transport(self._feed, 10)
        self.engine = Engine(directory, config, 1, limits, stack, Meters(), self._carry, ANSWERING)
        stack.push_async_callback(self.engine.workers.close)
        stack.push_async_callback(self._end)

    def _feed(self, event: Input) -> None:
        self.engine.driver.feed(event)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Send(peer, data):
                self.transport.send(peer, data)
            case HangUp(peer, reason):
                self.transport.hang_up(peer, reason)
            case Dial(endpoint):
                self.transport.dial(endpoint)

    async def _end(self) -> None:
        self.engine.driver.feed(Stop())
        await self.engine.driver.ended
        await self.transport.close("the test is over")


def test_it_runs_between_two_real_nodes(run: Run[None], tmp_path: Path) -> None:
    registered = Registered()

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            (listener,) = bind_listeners((LOOPBACK,), 0)
            endpoint = Endpoint(NetAddress(LOOPBACK, listener.getsockname()[1]))
            events: dict[Greeter, asyncio.Event] = {}
            for name, connect in (("a", ()), ("b", (endpoint,))):
                (tmp_path / name).mkdir()
                config = NodeConfig(RULEBOOK, connect=connect, managers=(registered,))
                node = RealNode(tmp_path / name, config, stack)
                if not connect:
                    await node.transport.serve([listener])
                events[registered.greeters[-1]] = heard = asyncio.Event()
                registered.greeters[-1].on_heard = heard.set
                node.engine.driver.feed(Start())
            for greeter, heard in events.items():
                if not greeter.heard:
                    await heard.wait()

    run(scenario())
    assert [greeter.heard for greeter in registered.greeters] == [[TEXT], [TEXT]]


@pytest.mark.parametrize("number", [0, FIRST_PRIVATE_TYPE - 1, 256])
def test_a_number_that_is_not_private_is_refused(number: int) -> None:
    class Clash(Greeter):
        messages: ClassVar[Mapping[int, type[Fields]]] = {number: Greeting}

    world = World(RULEBOOK, seed=1)
    world.add("a", config=NodeConfig(RULEBOOK, managers=(Clash,)))
    with pytest.raises(ConfigError, match=f"message type {number} of Greeting is not in 128 to 255"):
        world.start()


def test_a_message_that_has_a_handler_already_is_refused() -> None:
    class Pinger(Greeter):
        messages: ClassVar[Mapping[int, type[Fields]]] = {}

        def handlers(self) -> Mapping[type[Fields], Handler]:
            return {Ping: self._on_greeting}

    world = World(RULEBOOK, seed=1)
    world.add("a", config=NodeConfig(RULEBOOK, managers=(Pinger,)))
    with pytest.raises(ConfigError, match="Ping has two handlers"):
        world.start()
