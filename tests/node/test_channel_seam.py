"""The channel between a stream and its frames, in whole nodes: a toy with a handshake, an identity and a cipher."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pychain.base.entropy import Entropy
from pychain.chain.spec import packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.node.config import NodeConfig
from pychain.node.effects import Dial
from pychain.node.events import PeerDown
from pychain.node.requests import AddPeer
from pychain.p2p.channel import Channel, ChannelError
from pychain.p2p.endpoint import Endpoint, PeerId
from pychain.p2p.limits import CHANNEL_TIMEOUT_NS, MAX_CHANNEL_HANDSHAKE
from pychain.p2p.states import PeerState
from pychain.sim.host import Host
from pychain.sim.world import World
from pychain.wallet.keys import dev_key
from tests.support.network import Network
from tests.support.puppet import Stage

RULEBOOK = Rulebook(packaged_spec("dev"))
NAMED = Endpoint.parse("/dns4/node.example/tcp/30700/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X")


class ToyChannel:
    """Each side sends its name and a zero byte, the dialler first; then every byte is changed. Nothing is secret."""

    def __init__(self, name: str, dialled: bool) -> None:
        self._greeting = name.encode() + b"\0"
        self._output = self._greeting if dialled else b""
        self._dialled = dialled
        self._came = bytearray()
        self.remote: PeerId | None = None

    @property
    def established(self) -> bool:
        return self.remote is not None

    def receive(self, data: bytes) -> bytes:
        if self.remote is not None:
            return _changed(data)
        self._came += data
        name, end, rest = bytes(self._came).partition(b"\0")
        if not end:
            return b""
        if not name.isalpha():
            raise ChannelError("a name is letters")
        self.remote = PeerId(name.decode())
        if not self._dialled:
            self._output = self._greeting
        return _changed(rest)

    def seal(self, plaintext: bytes) -> bytes:
        return _changed(plaintext)

    def output(self) -> bytes:
        output, self._output = self._output, b""
        return output


def _changed(data: bytes) -> bytes:
    return bytes(byte ^ 0x55 for byte in data)


def speaking_as(name: str) -> Callable[[bool, Entropy], Channel]:
    return lambda dialled, entropy: ToyChannel(name, dialled)


def pair(expected: str | None = None) -> tuple[World, Host, Host]:
    """Two hosts with toy channels; `b` dials `a`, and may expect a name there."""
    world = World(RULEBOOK, seed=3)
    a = world.add(
        "a", mine_to=dev_key(0).public_key, hash_rate=1, config=NodeConfig(RULEBOOK, channel=speaking_as("alice"))
    )
    b = world.add("b", config=NodeConfig(RULEBOOK, channel=speaking_as("bob")))
    world.start()
    b.ask(AddPeer(Endpoint(a.address, None if expected is None else PeerId(expected))))
    return world, a, b


def test_nodes_speak_through_it_and_know_each_other_s_identity() -> None:
    world, a, b = pair("alice")
    world.run_until(lambda: b.node.queries.tip.height >= 3, 600)
    (peer,) = b.node.queries.peers()
    assert peer.identity == "alice"
    (peer,) = a.node.queries.peers()
    assert peer.identity == "bob"
    assert peer.state is PeerState.READY


def test_another_identity_than_the_expected_one_is_refused_and_dialled_again() -> None:
    world, a, b = pair("carol")
    world.run_for(30)
    assert not list(a.node.queries.peers())
    told = [event.reason for event in b.events if isinstance(event, PeerDown)]
    assert len(told) > 1
    assert set(told) == {"wrong_identity: alice answered, carol was expected"}


def test_a_node_that_speaks_no_such_channel_becomes_no_peer() -> None:
    world = World(RULEBOOK, seed=3)
    a = world.add("a", config=NodeConfig(RULEBOOK, channel=speaking_as("alice")))
    b = world.add("b", ["a"])
    world.start()
    world.run_for(60)
    for host in (a, b):
        assert not [peer for peer in host.node.queries.peers() if peer.hello is not None]


NETWORK = Network()


def secured_stage() -> Stage:
    return Stage(NETWORK, config=lambda rulebook: NodeConfig(rulebook, channel=speaking_as("alice")))


def test_a_handshake_has_a_time_limit() -> None:
    stage = secured_stage()
    silent = stage.puppet(ready=False)
    stage.wait(CHANNEL_TIMEOUT_NS / 1e9 - 0.1)
    assert silent.closed is None
    stage.wait(0.2)
    assert silent.closed is not None
    assert "no secure channel within 10 s" in silent.closed


def test_a_handshake_has_a_size_limit() -> None:
    stage = secured_stage()
    endless = stage.puppet(ready=False)
    endless.send(b"x" * MAX_CHANNEL_HANDSHAKE)
    assert endless.closed is None
    endless.send(b"x")
    assert endless.closed is not None


@pytest.mark.parametrize("data", [b"\x00\x20", b"GET / HTTP/1.1\r\n\0"])
def test_what_is_no_handshake_ends_the_connection(data: bytes) -> None:
    stage = secured_stage()
    other = stage.puppet(ready=False)
    other.send(data)
    assert other.closed is not None


def test_an_endpoint_is_dialled_with_all_its_parts() -> None:
    stage = Stage(NETWORK, config=lambda rulebook: NodeConfig(rulebook, connect=(NAMED,)))
    assert Dial(NAMED) in stage.effects
    (kept,) = stage.node.queries.manual_peers()
    assert str(kept) == str(NAMED)
