"""When a node asks the network's seeds for addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pychain.consensus.rulebook import Rulebook
from pychain.node.config import NodeConfig
from pychain.node.effects import Resolve
from pychain.node.inputs import NameResolved
from pychain.node.requests import SetNetworking
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.support.network import Network
from tests.support.networks import quick_spec
from tests.support.node_driver import LoneNode
from tests.support.puppet import Stage

NETWORK = Network()
RULEBOOK = Rulebook(quick_spec())
START_S = RULEBOOK.spec.start_time + 60
SEEDS = (NetAddress("seed.test", 30700), NetAddress("other.test", 30701))
ASKED = [Resolve("seed.test", 30700), Resolve("other.test", 30701)]
CONFIG = NodeConfig(RULEBOOK, seeds=SEEDS)


def asked(node: LoneNode, seconds: int = 0) -> list[Resolve]:
    """The names that it resolves within the next seconds."""
    node.effects.clear()
    node.move_clock(node.wall_s + seconds)
    return [effect for effect in node.effects if isinstance(effect, Resolve)]


def test_a_node_that_knows_nobody_asks_at_once_and_again_each_minute() -> None:
    node = LoneNode(RULEBOOK, START_S, config=CONFIG)
    assert node.effects == ASKED
    assert asked(node, 59) == []
    assert asked(node, 1) == ASKED
    assert asked(node, 60) == ASKED


def test_one_that_knows_some_gives_them_a_minute() -> None:
    first = LoneNode(RULEBOOK, START_S, config=CONFIG)
    first.feed(NameResolved("seed.test", (NetAddress("198.51.100.7", 30700),)))
    asked(first, 60)  # its tables are saved
    node = LoneNode(RULEBOOK, first.wall_s, store=first.store, config=CONFIG)
    assert not any(isinstance(effect, Resolve) for effect in node.effects)
    assert asked(node, 59) == []
    assert asked(node, 1) == ASKED


@pytest.mark.parametrize(
    "settings", [{"connect": (Endpoint(NetAddress("198.51.100.7", 30700)),)}, {"connect_only": True}, {"seeds": ()}]
)
def test_a_node_with_peers_from_its_operator_does_not_ask(settings: dict[str, object]) -> None:
    node = LoneNode(RULEBOOK, START_S, config=replace(CONFIG, **settings))  # type: ignore[arg-type]
    assert not any(isinstance(effect, Resolve) for effect in node.effects)
    assert asked(node, 600) == []


def test_a_node_off_the_network_does_not_ask() -> None:
    node = LoneNode(RULEBOOK, START_S, config=CONFIG)
    node.ask(SetNetworking(False))
    assert asked(node, 60) == []
    node.ask(SetNetworking(True))
    assert asked(node, 60) == ASKED


def test_a_node_with_a_peer_does_not_ask_until_it_has_lost_it() -> None:
    stage = Stage(NETWORK, config=lambda rulebook: NodeConfig(rulebook, seeds=SEEDS))
    puppet = stage.puppet()
    assert asked(stage, 60) == []
    stage.closed(puppet, "gone")
    assert asked(stage, 60) == ASKED


def test_a_connection_without_a_hello_is_no_peer() -> None:
    stage = Stage(NETWORK, config=lambda rulebook: NodeConfig(rulebook, seeds=SEEDS))
    stage.puppet(ready=False)
    assert asked(stage, 60) == ASKED
